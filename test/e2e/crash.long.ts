import assert from 'node:assert/strict';
import { test } from 'node:test';
import { post, question, stream, textOf } from '../support/chat.ts';
import { until } from '../support/service.ts';
import { answer, redCircle, useRecoveringService } from './crash-fixture.ts';

const recovering = useRecoveringService();

test('a stream that has not started when the runtime is killed is served by the next one', async () => {
  const killed = recovering.pid();
  process.kill(killed, 'SIGSTOP'); // it does not answer from now on
  const events: string[] = [];
  const streaming = (async () => {
    for await (const event of stream(recovering.running.url, question(redCircle)))
      events.push(event);
  })();
  await until(recovering.running, () => recovering.running.service.activity.streams === 1);
  process.kill(killed, 'SIGKILL');
  await streaming;
  assert.equal(events.at(-1), '[DONE]');
});

test('a runtime that hangs during a request is killed, and the next one answers it', async () => {
  const stopped = recovering.pid();
  const { runtime } = recovering.running.service;
  runtime.setLimits({ hangTimeoutMs: 2000 });
  process.kill(stopped, 'SIGSTOP');
  // A new process may be slow at first.
  const forget = runtime.onChange(({ phase }) => {
    if (phase === 'crashed') runtime.setLimits({ hangTimeoutMs: 60_000 });
  });
  assert.equal(textOf(await post(recovering.running.url, question(redCircle))), answer);
  forget();
  assert.notEqual(recovering.pid(), stopped);
});

test('the service recovers from a crash, and from another one while the next runtime loads', async () => {
  const { runtime } = recovering.running.service;
  process.kill(recovering.pid(), 'SIGKILL');
  await until(recovering.running, () => runtime.state.phase === 'loading');
  if (runtime.state.phase === 'loading') process.kill(runtime.state.pid, 'SIGKILL');
  await until(recovering.running, () => runtime.state.phase === 'crashed');
  assert.equal(textOf(await post(recovering.running.url, question(redCircle))), answer);
});
