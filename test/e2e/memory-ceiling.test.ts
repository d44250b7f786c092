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

test('the reported memory follows the requests', async () => {
  const { state } = running.service.runtime;
  await ask();
  await until(running, () => running.service.runtime.state !== state);
  const now = running.service.runtime.state;
  assert.ok(now.phase === 'ready' && now.memoryBytes > now.model.memory_bytes);
  const metrics = await (await fetch(`${running.url}/metrics`)).text();
  assert.match(metrics, new RegExp(`^sightglass_runtime_memory_bytes ${now.memoryBytes}$`, 'm'));
});

test('a runtime above its memory ceiling is restarted, and waiting requests are answered', async () => {
  const first = pidOf(running);
  const { queue } = running.service;
  const answers = [ask(), ask(), ask()];
  await until(running, () => queue.stats.activeRequests === answers.length);
  await use(ABOVE_THE_MODEL);
  assert.deepEqual(await Promise.all(answers), [EXPECTED, EXPECTED, EXPECTED]);
  await untilRestarted(first);
});
