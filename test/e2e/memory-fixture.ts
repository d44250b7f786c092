import { after, before } from 'node:test';
import pino from 'pino';
import type { Settings } from '../../server/settings.ts';
import { post, question, textOf } from '../support/chat.ts';
import { drawShape, toDataUrl } from '../support/pictures.ts';
import { applySettings, type RunningService, startService, until } from '../support/service.ts';

const image = toDataUrl(await drawShape({ shape: 'circle', color: 'red' }), 'image/png');
export const EXPECTED = 'A red circle on a white background.';
/** The demo model uses 3.6 MB, and 4 MB after its first answer. */
export const ABOVE_THE_MODEL = { memoryCeilingGigabytes: 0.0039 };
export const BELOW_THE_MODEL = { memoryCeilingGigabytes: 0.001 };

/** A service for a file's tests, whose memory ceiling they change. */
export function useMemoryCeiling() {
  const lines: { msg: string }[] = [];
  const log = pino({ level: 'warn' }, { write: (line) => void lines.push(JSON.parse(line)) });
  let running: RunningService;
  before(async () => {
    running = await startService({}, log);
  });
  after(() => running.stop());
  const pid = () => {
    const { state } = running.service.runtime;
    return state.phase === 'ready' ? state.pid : undefined;
  };
  return {
    get running() {
      return running;
    },
    /** What was logged. */
    lines,
    /** The process that serves, if one does. */
    pid,
    use: (limits: Partial<Settings>) => applySettings(running, { logLevel: 'warn', ...limits }),
    ask: async () => textOf(await post(running.url, question(image))),
    /** Resolves once a different process serves. */
    untilRestarted: (first: number | undefined) =>
      until(running, () => ![first, undefined].includes(pid())),
  };
}
