import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type ServerResponse } from 'node:http';
import { connect } from 'node:net';
import { type TestContext, test } from 'node:test';
import { abortOnDisconnect, ClientGoneError } from '../../../server/http/errors.ts';

/** A response whose client the test can disconnect. */
async function respondTo(t: TestContext) {
  const server = createServer();
  const requested = once(server, 'request') as Promise<[unknown, ServerResponse]>;
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  const socket = connect(port, '127.0.0.1');
  t.after(() => {
    socket.destroy();
    server.close();
  });
  socket.resume().write('GET / HTTP/1.1\r\nhost: localhost\r\n\r\n');
  const [, response] = await requested;
  return { response, socket };
}

test('a client that disconnects before its response aborts the work', async (t) => {
  const { response, socket } = await respondTo(t);
  const controller = new AbortController();
  abortOnDisconnect(response, controller);
  const aborted = once(controller.signal, 'abort');
  socket.destroy();
  await aborted;
  assert.ok(controller.signal.reason instanceof ClientGoneError);
});

test('a client that disconnected before the work started aborts it immediately', async (t) => {
  const { response, socket } = await respondTo(t);
  socket.destroy();
  await once(response, 'close');
  const controller = new AbortController();
  abortOnDisconnect(response, controller);
  assert.ok(controller.signal.aborted);
});

test('a client that disconnects after its response aborts nothing', async (t) => {
  const { response } = await respondTo(t);
  const controller = new AbortController();
  abortOnDisconnect(response, controller);
  response.end('done');
  await once(response, 'close');
  assert.equal(controller.signal.aborted, false);
});
