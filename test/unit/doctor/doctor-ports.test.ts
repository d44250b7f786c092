import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import { execa } from 'execa';
import { thisMachine } from '../../../server/doctor/machine.ts';
import { examine, find, settings } from './examination.ts';
import { fakeMac, fakeResources } from './fake-machine.ts';

test('a port on which Sightglass itself serves is not a failure', async (t) => {
  const machine = fakeMac({
    acceptsConnections: async (_host, port) => port === 8000,
    getJson: async () => ({ status: 'ok', state: 'ready', model: 'demo' }),
  });
  const check = await find('port', examine({ resources: await fakeResources(t), machine }));
  assert.deepEqual([check.status, check.found], ['ok', '8000: Sightglass serves there (ready)']);
});

test('another program on ::1 is reported even where Sightglass serves on 127.0.0.1', async (t) => {
  const machine = fakeMac({
    acceptsConnections: async (_host, port) => port === 8000,
    getJson: async (url) =>
      url === 'http://127.0.0.1:8000/health' && { status: 'ok', state: 'ready', model: 'demo' },
  });
  const check = await find('port', examine({ resources: await fakeResources(t), machine }));
  assert.equal(check.found, '8000 is in use by another program on ::1');
});

for (const [host, port, found] of [
  ['192.0.2.77', 0, /^192\.0\.2\.77 is not an address of this machine$/],
  ['no-such-host.invalid', 0, /not an address of this machine$|^cannot listen on/],
] as const) {
  test(`the doctor tries to listen on ${host}`, async (t) => {
    const resources = await fakeResources(t);
    const { listenProblem } = thisMachine;
    const machine = fakeMac({ listenProblem });
    const check = await find(
      'port',
      examine({ resources, machine, settings: { ...settings, host, port } }),
    );
    assert.equal(check.status, 'failed');
    assert.match(check.found, found);
    assert.match(check.remedy ?? '', /--host/);
  });
}

for (const [code, found] of [
  ['EACCES', '80 can only be used by an administrator'],
  ['EADDRINUSE', '80 is in use by a program that does not respond'],
] as const) {
  test(`a port that cannot be listened on for ${code} is reported`, async (t) => {
    const machine = fakeMac({
      listenProblem: async () => Object.assign(new Error(code), { code }),
    });
    const resources = await fakeResources(t);
    const check = await find(
      'port',
      examine({ resources, machine, settings: { ...settings, port: 80 } }),
    );
    assert.deepEqual([check.status, check.found], ['failed', found]);
  });
}

test('a server that answers without end, or not in JSON, is not read to the end', async (t) => {
  const server = createServer((request, response) => {
    if (request.url === '/words') return response.end('hello');
    if (request.url === '/away') return response.writeHead(302, { location: '/json' }).end();
    if (request.url === '/json') return response.end('{"a":1}');
    const space = Buffer.alloc(1 << 20, ' ');
    const send = () => {
      while (response.write(space));
    };
    response.on('drain', send);
    return send();
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  const url = `http://127.0.0.1:${port}`;
  const before = process.memoryUsage().rss;
  const answers = await Promise.all(
    ['/json', '/words', '/away', '/endless'].map((path) => thisMachine.getJson(`${url}${path}`)),
  );
  assert.deepEqual(answers, [{ a: 1 }, undefined, undefined, undefined]);
  assert.ok(process.memoryUsage().rss - before < 100e6, 'the endless answer was buffered');
});

test('a server on this machine is not contacted through a proxy', async (t) => {
  const server = createServer((_request, response) => response.end('{"a":1}'));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => server.close());
  const { port } = server.address() as AddressInfo;
  const machine = new URL('../../../server/doctor/machine.ts', import.meta.url);
  const program = `
    const { thisMachine } = await import('${machine}');
    console.log(JSON.stringify(await thisMachine.getJson('http://127.0.0.1:${port}/health')));`;
  const proxies = { NODE_USE_ENV_PROXY: '1', HTTP_PROXY: 'http://127.0.0.1:1' };
  const { stdout } = await execa(process.execPath, ['--input-type=module', '-e', program], {
    env: proxies,
  });
  assert.equal(stdout, '{"a":1}');
});

test('other model servers are named', async (t) => {
  const machine = fakeMac({ acceptsConnections: async (_host, port) => port === 11_434 });
  const check = await find(
    'other_servers',
    examine({ resources: await fakeResources(t), machine }),
  );
  assert.equal(check.status, 'ok');
  assert.match(check.found, /^on 11434 \(Ollama\); a model loaded there/);
});
