import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type Server } from 'node:net';
import { type TestContext, test } from 'node:test';
import { HttpServer, ListenError } from '../../../server/http/server.ts';

/** Another program, which accepts connections on one address only. */
async function occupy(t: TestContext, host: string, port = 0): Promise<number> {
  const server: Server = createServer((socket) => socket.destroy());
  server.listen({ host, port, ipv6Only: true });
  await once(server, 'listening');
  t.after(() => server.close());
  const address = server.address();
  assert.ok(typeof address === 'object' && address !== null);
  return address.port;
}

function createHttpServer(t: TestContext): HttpServer {
  const server = new HttpServer((_request, response) => response.end('ours'));
  t.after(() => server.close());
  return server;
}

for (const [ours, theirs] of [
  ['127.0.0.1', '127.0.0.1'],
  ['127.0.0.1', '::1'],
  ['::1', '127.0.0.1'],
  ['0.0.0.0', '::1'],
  ['0.0.0.0', '127.0.0.1'],
  ['localhost', '::1'],
] as const) {
  test(`a port that another program has on ${theirs} is in use for ${ours}`, async (t) => {
    const port = await occupy(t, theirs);
    await assert.rejects(createHttpServer(t).listen({ host: ours, port }), (error) => {
      assert.ok(error instanceof ListenError);
      assert.match(error.message, new RegExp(`^Port ${port} is already in use\\.`));
      assert.ok(error.freePort !== undefined && error.freePort > port);
      return true;
    });
  });
}

test('the suggested port is free on both loopback addresses', async (t) => {
  const port = await occupy(t, '127.0.0.1');
  await occupy(t, '::1', port + 1).catch(() => {}); // in use by another process is just as good
  const error = await createHttpServer(t)
    .listen({ host: '127.0.0.1', port })
    .catch((reason: ListenError) => reason);
  assert.ok(error instanceof ListenError);
  assert.ok(error.freePort !== undefined && error.freePort > port + 1);
});

test('a server can move to all addresses on its own port', async (t) => {
  const server = createHttpServer(t);
  const port = await server.listen({ host: '127.0.0.1', port: 0 });
  const from = { host: '127.0.0.1', port };
  assert.equal(await server.move({ host: '0.0.0.0', port }, from), port);
  assert.equal(await (await fetch(`http://127.0.0.1:${port}`)).text(), 'ours');
});
