import { after, before, beforeEach } from 'node:test';
import { drawShape, toDataUrl } from '../support/pictures.ts';
import { type RunningService, startService } from '../support/service.ts';

export const redCircle = toDataUrl(await drawShape({ shape: 'circle', color: 'red' }), 'image/png');
export const answer = 'A red circle on a white background.';

/** A service for a file's tests, whose runtime is ready before each of them. */
export function useRecoveringService() {
  let running: RunningService;
  before(async () => {
    running = await startService();
  });
  beforeEach(async () => {
    const { runtime } = running.service;
    // A start after a stop forgets earlier crashes, of which too many would fail the runtime.
    if (runtime.state.context.crashes.length > 1) await runtime.stop();
    runtime.start();
    await running.runtime();
  });
  after(() => running.stop());
  return {
    get running() {
      return running;
    },
    /** The process that serves. */
    pid(): number {
      const { state } = running.service.runtime;
      if (state.phase !== 'ready') throw new Error(`The runtime is ${state.phase}.`);
      return state.pid;
    },
  };
}
