import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import pino from 'pino';
import type { Settings } from '../../server/settings.ts';
import { post, question, textOf } from '../support/chat.ts';
import { drawShape, toDataUrl } from '../support/pictures.ts';
import { applySettings, type RunningService, startService, until } from '../support/service.ts';

const image = toDataUrl(await drawShape({ shape: 'circle', color: 'red' }), 'image/png');
const EXPECTED = 'A red circle on a white background.';
/** The demo model uses 3.6 MB, and 4 MB after its first answer. */
const ABOVE_THE_MODEL = { memoryCeilingGigabytes: 0.0039 };
const BELOW_THE_MODEL = { memoryCeilingGigabytes: 0.001 };
const lines: { msg: string }[] = [];
const log = pino({ level: 'warn' }, { write: (line) => void lines.push(JSON.parse(line)) });
let running: RunningService;
before(async () => {
  running = await startService({}, log);
});
after(() => running.stop());

const use = (limits: Partial<Settings>) => applySettings(running, { logLevel: 'warn', ...limits });
/** Resolves once a different process serves. */
const untilRestarted = (first: number | undefined) =>
  until(running, () => ![first, undefined].includes(pidOf(running)));

const pidOf = ({ service }: RunningService) => {
  const { state } = service.runtime;
  return state.phase === 'ready' ? state.pid : undefined;
};

const ask = async () => textOf(await post(running.url, question(image)));

test('a model that exceeds the ceiling on its own is kept, with one warning', async () => {
  const first = pidOf(running);
  await use(BELOW_THE_MODEL);
  assert.deepEqual(await Promise.all([ask(), ask(), ask()]), [EXPECTED, EXPECTED, EXPECTED]);
  assert.equal(pidOf(running), first);
  const words = /^the model alone needs more memory than --memory-ceiling allows/;
  assert.equal(lines.filter(({ msg }) => words.test(msg)).length, 1);
});

test('the runtime is not restarted during a check', async () => {
  await use({});
  await running.runtime();
  const first = pidOf(running);
  const controller = new AbortController();
  const pids = new Set<number | undefined>();
  const onProgress = (done: number) => {
    pids.add(pidOf(running));
    if (done === 1) void use(ABOVE_THE_MODEL);
    if (done === 5) controller.abort();
  };
  const check = running.service.check({ signal: controller.signal, onProgress });
  await assert.rejects(check, { name: 'AbortError' });
  assert.deepEqual([...pids], [first]);
  await untilRestarted(first);
});
