import assert from 'node:assert/strict';
import { afterEach, test } from 'node:test';
import pino from 'pino';
import { post, question, textOf } from '../support/chat.ts';
import { drawShape, toDataUrl } from '../support/pictures.ts';
import { type RunningService, startService, until } from '../support/service.ts';

const image = toDataUrl(await drawShape({ shape: 'circle', color: 'red' }), 'image/png');
const EXPECTED = 'A red circle on a white background.';
/** The demo model takes 3.6 MB, and after its first answer 4. */
const ABOVE_THE_MODEL = { memoryCeilingGigabytes: 0.0039 };
const BELOW_THE_MODEL = { memoryCeilingGigabytes: 0.001 };
let running: RunningService;
afterEach(() => running.stop());

const pidOf = ({ service }: RunningService) => {
  const { state } = service.runtime;
  return state.phase === 'ready' ? state.pid : undefined;
};

const ask = async () => textOf(await post(running.url, question(image)));

test('a runtime above its memory ceiling is restarted, and waiting requests are answered', async () => {
  running = await startService(ABOVE_THE_MODEL);
  const first = pidOf(running);
  assert.deepEqual(await Promise.all([ask(), ask(), ask()]), [EXPECTED, EXPECTED, EXPECTED]);
  await until(running, () => ![first, undefined].includes(pidOf(running)));
});

test('a model that is above the ceiling from the start stays, and that is told once', async () => {
  const lines: { msg: string }[] = [];
  const log = pino({ level: 'warn' }, { write: (line) => void lines.push(JSON.parse(line)) });
  running = await startService(BELOW_THE_MODEL, log);
  const first = pidOf(running);
  assert.deepEqual(await Promise.all([ask(), ask(), ask()]), [EXPECTED, EXPECTED, EXPECTED]);
  assert.equal(pidOf(running), first);
  const words = /^the model alone needs more memory than --memory-ceiling allows/;
  assert.equal(lines.filter(({ msg }) => words.test(msg)).length, 1);
});

test('a check of the model comes to its end first', async () => {
  running = await startService(ABOVE_THE_MODEL);
  const first = pidOf(running);
  const options = { signal: new AbortController().signal, onProgress: () => {} };
  assert.deepEqual((await running.service.check(options)).differing, []);
  await until(running, () => ![first, undefined].includes(pidOf(running)));
});

test('the memory in use is told as requests change it', async () => {
  running = await startService();
  const { state } = running.service.runtime;
  await ask();
  await until(running, () => running.service.runtime.state !== state);
  const now = running.service.runtime.state;
  assert.ok(now.phase === 'ready' && now.memoryBytes > now.model.memory_bytes);
  const metrics = await (await fetch(`${running.url}/metrics`)).text();
  assert.match(metrics, new RegExp(`^sightglass_runtime_memory_bytes ${now.memoryBytes}$`, 'm'));
});
