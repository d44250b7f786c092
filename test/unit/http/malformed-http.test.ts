import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import { connect, type Socket } from 'node:net';
import { text } from 'node:stream/consumers';
import { type TestContext, test } from 'node:test';
import { HttpServer } from '../../../server/http/server.ts';

/** A server that responds when the body is complete, or on the test's command. */
async function listen(t: TestContext, answer?: (response: ServerResponse) => void) {
  const server = new HttpServer((request, response) => {
    const finish = answer ?? (() => response.end('served'));
    request.resume().once('end', () => finish(response));
  });
  const port = await server.listen({ host: '127.0.0.1', port: 0 });
  t.after(() => server.close());
  return async (...sent: string[]): Promise<Socket> => {
    const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
    await once(socket, 'connect');
    for (const part of sent) socket.write(part);
    return socket;
  };
}

const head = (more: string) => `POST / HTTP/1.1\r\nhost: localhost\r\n${more}\r\n\r\n`;

/** The status and the message of OpenAI's error object. */
async function answerOn(socket: Socket) {
  const [start = '', body = ''] = (await text(socket)).split('\r\n\r\n');
  return { status: Number(start.split(' ')[1]), message: JSON.parse(body).error.message as string };
}

test('an invalid chunk size gets 400 and says so', async (t) => {
  const send = await listen(t);
  const socket = await send(
    head('transfer-encoding: chunked'),
    '5\r\nhello\r\nZZ\r\nx\r\n0\r\n\r\n',
  );
  const { status, message } = await answerOn(socket);
  assert.equal(status, 400);
  assert.match(message, /chunk size is invalid/);
});

test('a body shorter than its Content-Length gets 400 once its client has sent it', async (t) => {
  const send = await listen(t);
  const socket = await send(head('content-length: 10'), 'short');
  socket.end();
  const { status, message } = await answerOn(socket);
  assert.equal(status, 400);
  assert.match(message, /shorter than its Content-Length/);
});

test('a client that half-closes the connection before the response gets 400 and says so', async (t) => {
  const send = await listen(t, () => {});
  const socket = await send(head('content-length: 2'), '{}');
  socket.end();
  const { status, message } = await answerOn(socket);
  assert.equal(status, 400);
  assert.match(message, /closed its side/);
});

test('an invalid pipelined request neither answers nor loses the one before', async (t) => {
  const requested = Promise.withResolvers<ServerResponse>();
  const send = await listen(t, (response) => {
    if (response.req.url === '/now') response.end();
    else requested.resolve(response);
  });
  const socket = await send(head('content-length: 2'), '{}', 'rubbish\r\n\r\n');
  const response = await requested.promise;
  await fetch(`http://127.0.0.1:${socket.remotePort}/now`); // the rubbish has been read by then
  socket.write('more rubbish\r\n\r\n');
  response.end('its own answer');
  const answer = await text(socket);
  assert.match(answer, /^HTTP\/1\.1 200 OK\r\n/);
  assert.ok(answer.endsWith('\r\n\r\nits own answer'));
});

test('an error is never written into a response that has started', async (t) => {
  const send = await listen(t, (response) => response.write('first'));
  const socket = await send(head('content-length: 2'), '{}');
  await once(socket, 'data');
  socket.end();
  assert.doesNotMatch(await text(socket), /HTTP/);
});

test('a connection with invalid HTTP is closed', async (t) => {
  const send = await listen(t);
  const socket = await send('rubbish\r\n\r\n');
  socket.resume();
  await once(socket, 'end'); // its own side stays open
  const write = setInterval(() => socket.write('more'), 50);
  t.after(() => clearInterval(write));
  await assert.rejects(once(socket, 'close'), { code: /ECONNRESET|EPIPE/ });
});
