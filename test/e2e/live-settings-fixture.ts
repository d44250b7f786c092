import { after, before, beforeEach } from 'node:test';
import { Settings } from '../../server/settings.ts';
import { demoModel, type RunningService, startService } from '../support/service.ts';

export const base = Settings.parse({ modelPath: demoModel, port: 0, logLevel: 'silent' });

/** A service for a file's tests, which has the settings `base` before each of them. */
export function useChangingService() {
  /** Models that could not be loaded, and why. */
  const rollbacks: string[] = [];
  let running: RunningService;
  let url: string;
  before(async () => {
    running = await startService({}, undefined, {
      onRollback: (modelPath, { reason }) => rollbacks.push(`${modelPath} ${reason}`),
    });
  });
  beforeEach(async () => {
    const { port } = await running.service.apply(base);
    url = `http://127.0.0.1:${port}`;
    await running.runtime();
  });
  after(() => running.stop());
  return {
    rollbacks,
    get running() {
      return running;
    },
    get url() {
      return url;
    },
  };
}
