import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { connect } from 'node:net';
import { hostname } from 'node:os';
import { text } from 'node:stream/consumers';
import { test } from 'node:test';
import Koa from 'koa';
import { ApiError } from '../../../server/errors.ts';
import type { State } from '../../../server/http/deps.ts';
import { refuseForeignHosts } from '../../../server/http/guards.ts';

import { Settings } from '../../../server/settings.ts';

/** The status and body for a request with this Host header, or without one in HTTP/1.0. */
async function ask(
  settings: Partial<Settings>,
  host: string | undefined,
  warn = (_: string) => {},
) {
  const app = new Koa<State>();
  app.use(async (ctx, next) => {
    try {
      await next();
    } catch (error) {
      assert.ok(error instanceof ApiError);
      ctx.status = error.status;
      ctx.body = error.toBody();
    }
  });
  app.use(refuseForeignHosts(Settings.parse({ modelPath: 'x', ...settings }), warn));
  app.use((ctx) => {
    ctx.body = 'served';
  });
  const server = createServer(app.callback()).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  const socket = connect(port, '127.0.0.1');
  socket.write(
    host === undefined
      ? 'GET / HTTP/1.0\r\n\r\n'
      : `GET / HTTP/1.1\r\nhost: ${host}\r\nconnection: close\r\n\r\n`,
  );
  const answer = await text(socket);
  server.close();
  return { status: Number(answer.split(' ')[1]), answer };
}

const SERVED = [
  'localhost',
  'LOCALHOST:8000',
  'localhost.',
  'a.localhost',
  '127.0.0.1:8000',
  '192.168.1.20',
  '[::1]:8000',
  '[fe80::1]',
  'macmini',
  'macmini.:8000',
  'macmini.local',
  'Macmini.local.:8000',
  'host.docker.internal',
  'nas.home.arpa',
  hostname(),
  undefined,
];
const REFUSED = [
  'evil.example',
  'evil.example:8000',
  'localhost.evil.example',
  'notlocalhost.example',
  'x.local.evil.example',
  'local.example',
  'evillocal.com',
  'evil.internal.example',
  'home.arpa.example',
  '127.0.0.1.nip.io',
  '127.0.0.1.evil.example',
  '192.168.1.20.nip.io',
  'evil.example.',
  'evil.example@localhost',
  'localhost/evil.example',
  'evil.example\\.local',
  'xn--localhost-.example',
];

for (const host of SERVED) {
  test(`without a key, ${host ?? 'a request without Host'} is served on every address`, async () => {
    for (const address of ['127.0.0.1', '0.0.0.0', '::']) {
      assert.equal((await ask({ host: address }, host)).status, 200);
    }
  });
}

for (const host of REFUSED) {
  test(`without a key, ${host} is refused on every address, naming the flag`, async () => {
    for (const address of ['127.0.0.1', '0.0.0.0', '::1']) {
      const { status, answer } = await ask({ host: address }, host);
      assert.equal(status, 403, answer);
      assert.match(answer, /--allowed-hosts.*host_not_allowed/s);
    }
  });
}

test('with a key, every host name is allowed', async () => {
  for (const host of REFUSED) assert.equal((await ask({ apiKey: 'secret' }, host)).status, 200);
});

test('the configured host name is allowed', async () => {
  assert.equal((await ask({ host: 'mac.example.com' }, 'mac.example.com:8000')).status, 200);
});

for (const [allowedHosts, served, refused] of [
  [
    'mac.example.com',
    ['mac.example.com', 'MAC.example.com.:80'],
    ['a.mac.example.com', 'example.com'],
  ],
  [
    '*.example.com',
    ['a.example.com', 'a.b.example.com'],
    ['example.com', 'badexample.com', 'a.example.com.evil.org'],
  ],
  ['a.org, *.b.org', ['a.org', 'x.b.org'], ['b.org', 'x.a.org']],
  ['*', ['evil.example', '127.0.0.1.nip.io'], []],
] as const) {
  test(`--allowed-hosts "${allowedHosts}" allows these names and no others`, async () => {
    const settings = { allowedHosts } as unknown as Partial<Settings>;
    for (const host of served) assert.equal((await ask(settings, host)).status, 200, host);
    for (const host of refused) assert.equal((await ask(settings, host)).status, 403, host);
  });
}

test('--allowed-hosts * warns about DNS rebinding, unless a key is set', async () => {
  const warnings: string[] = [];
  const warn = (message: string) => warnings.push(message);
  await ask({ allowedHosts: ['*'] }, 'localhost', warn);
  await ask({ allowedHosts: ['*'], apiKey: 'secret' }, 'localhost', warn);
  await ask({}, 'localhost', warn);
  assert.equal(warnings.length, 1);
  assert.match(warnings[0] ?? '', /DNS rebinding/);
});

for (const wrong of ['a.*.com', '*a.com', 'http://a.com', 'a.com:80', '*.', 'a b']) {
  test(`"${wrong}" is not a valid host name to allow`, () => {
    assert.equal(Settings.shape.allowedHosts.safeParse(wrong).success, false);
  });
}
