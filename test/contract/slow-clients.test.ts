import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:net';
import { type TestContext, test } from 'node:test';
import { post, stream } from '../support/chat.ts';
import { startStubService, until } from '../support/service.ts';
// The path from an HTTP request to its job, with a stub runtime that the test controls.
import { answerAll, hello, PATH } from '../support/stub-requests.ts';
import { chunk } from '../support/stub-runtimes.ts';

/** Requests a stream and reads nothing until the socket is resumed. */
async function streamUnread(t: TestContext, url: string) {
  const { port } = new URL(url);
  const socket = connect(Number(port), '127.0.0.1');
  t.after(() => socket.destroy());
  await once(socket, 'connect');
  socket.pause();
  const text = JSON.stringify({ ...hello, stream: true });
  socket.write(
    `POST ${PATH} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n` +
      `content-length: ${text.length}\r\n\r\n${text}`,
  );
  return socket;
}

test('a client that stops reading delays a model change by at most --drain-timeout', async (t) => {
  const { url, stubs, service, settings } = await startStubService(t, { drainTimeoutSeconds: 0.5 });
  const socket = await streamUnread(t, url);
  const first = await stubs.at(0);
  const { id } = await first.requests.at(0);
  const large = 'x'.repeat(100_000);
  for (let count = 0; count < 100; count += 1) first.send(id, large);
  const whole = post(url, hello);
  const { id: wholeId } = await first.requests.at(1);
  first.send(wholeId, 'half');
  await service.apply({ ...settings, modelPath: 'B' });
  const startedAt = performance.now();
  const next = await stubs.at(1);
  void answerAll(next, 'by B');
  assert.equal((await whole).body.choices[0].message.content, 'by B');
  assert.ok(performance.now() - startedAt < 5000);
  socket.resume();
  let received = '';
  for await (const bytes of socket) {
    received += bytes;
    if (received.includes('"code":"model_changed"')) break;
  }
  assert.match(received.slice(-400), /"error":\{.*"code":"model_changed"/);
  assert.doesNotMatch(received, /\[DONE\]/);
});

test('a client that disconnects stops its generation, whole or streamed', async (t) => {
  const { url, stubs, service } = await startStubService(t);
  const stub = await stubs.at(0);
  for (const [index, isStream] of [false, true].entries()) {
    const gone = new AbortController();
    const events = stream(url, hello, { signal: gone.signal });
    const asked = isStream ? events.next() : post(url, hello, { signal: gone.signal });
    const { id } = await stub.requests.at(index);
    if (isStream) stub.command({ do: 'send', id, data: chunk('x') });
    if (isStream) await asked;
    gone.abort();
    await Promise.allSettled([asked]);
    assert.equal(await stub.closed.at(index), id);
    await service.activity.idle();
    await until({ service }, () => service.queue.stats.activeRequests === 0);
    assert.equal(service.activity.recent()[0]?.outcome, 'client_gone');
  }
});

test('a client that does not read a finished answer is not a hang of the runtime', async (t) => {
  const { url, stubs } = await startStubService(t, { hangTimeoutSeconds: 1 });
  await streamUnread(t, url);
  const stub = await stubs.at(0);
  stub.command({ do: 'stall' });
  const { id } = await stub.requests.at(0);
  for (let count = 0; count < 100; count += 1) stub.send(id, 'x'.repeat(100_000));
  stub.command({ do: 'end', id }); // generation has ended, and the client has read nothing
  await stub.probes.at(4); // two seconds
  assert.equal(stubs.count, 1);
  const asked = post(url, hello);
  const next = await stub.requests.at(1);
  stub.answer(next.id, 'x');
  assert.equal((await asked).status, 200);
});
