import assert from 'node:assert/strict';
import { after, before, beforeEach, test } from 'node:test';
import { post, question, stream, textOf } from '../support/chat.ts';
import { drawShape, toDataUrl } from '../support/pictures.ts';
import { type RunningService, startService, until } from '../support/service.ts';

const redCircle = toDataUrl(await drawShape({ shape: 'circle', color: 'red' }), 'image/png');
const answer = 'A red circle on a white background.';
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

function pid(): number {
  const { state } = running.service.runtime;
  if (state.phase !== 'ready') throw new Error(`The runtime is ${state.phase}.`);
  return state.pid;
}

test('a stream that has not started when the runtime is killed is served by the next one', async () => {
  const killed = pid();
  process.kill(killed, 'SIGSTOP'); // it does not answer from now on
  const events: string[] = [];
  const streaming = (async () => {
    for await (const event of stream(running.url, question(redCircle))) events.push(event);
  })();
  await until(running, () => running.service.activity.streams === 1);
  process.kill(killed, 'SIGKILL');
  await streaming;
  assert.equal(events.at(-1), '[DONE]');
});

test('a runtime that hangs during a request is killed, and the next one answers it', async () => {
  const stopped = pid();
  const { runtime } = running.service;
  runtime.setLimits({ hangTimeoutMs: 2000 });
  process.kill(stopped, 'SIGSTOP');
  // A new process may be slow at first.
  const forget = runtime.onChange(({ phase }) => {
    if (phase === 'crashed') runtime.setLimits({ hangTimeoutMs: 60_000 });
  });
  assert.equal(textOf(await post(running.url, question(redCircle))), answer);
  forget();
  assert.notEqual(pid(), stopped);
});

test('the service recovers from a crash, and from another one while the next runtime loads', async () => {
  const { runtime } = running.service;
  process.kill(pid(), 'SIGKILL');
  await until(running, () => runtime.state.phase === 'loading');
  if (runtime.state.phase === 'loading') process.kill(runtime.state.pid, 'SIGKILL');
  await until(running, () => runtime.state.phase === 'crashed');
  assert.equal(textOf(await post(running.url, question(redCircle))), answer);
});
