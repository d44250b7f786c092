import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { ConnectProxy } from '../support/hub/connect-proxy.ts';
import { HubClient } from '../support/hub/hub-client.ts';
import { HubServer } from '../support/hub/hub-server.ts';
import { ID, reasonOf } from '../support/hub/hub-test.ts';
import { noOpenssl, TestAuthority } from '../support/hub/test-authority.ts';
import { demoModel } from '../support/service.ts';

// Downloads in a company's network: its proxy, and its certificate authority.

/** Variables that the machine of the tests may have set. */
const NAMES = [
  ...['SSL_CERT_FILE', 'SSL_CERT_DIR', 'REQUESTS_CA_BUNDLE', 'CURL_CA_BUNDLE'],
  ...['NODE_EXTRA_CA_CERTS', 'HTTPS_PROXY', 'HTTP_PROXY', 'ALL_PROXY', 'NO_PROXY'],
];

/** These settings and no others. Python prefers a proxy's name in lower case, even if it is empty. */
function toEnv(settings: Readonly<Record<string, string>>): Record<string, string> {
  const pairs = NAMES.map((name) => [name, settings[name] ?? ''] as const);
  return Object.fromEntries(
    pairs.flatMap(([name, value]) => [
      [name, value],
      [name.toLowerCase(), value],
    ]),
  );
}

async function startCompany() {
  const stack = new AsyncDisposableStack();
  const authority = stack.use(await TestAuthority.create());
  const proxy = stack.use(await ConnectProxy.start());
  const hub = stack.use(await HubServer.start({ tls: authority.tls }));
  await hub.add(ID, demoModel);
  /** Downloads the model into a new cache. */
  const download = async (settings: Readonly<Record<string, string>>) => {
    await using client = await HubClient.start(hub.url, { env: toEnv(settings) });
    await client.downloads.start(ID);
    return { offered: await client.offered(), phases: client.phases };
  };
  return { authority, proxy, hub, download, [Symbol.asyncDispose]: () => stack.disposeAsync() };
}

suite("a company's network", { skip: noOpenssl }, () => {
  for (const name of ['SSL_CERT_FILE', 'REQUESTS_CA_BUNDLE', 'NODE_EXTRA_CA_CERTS']) {
    test(`a Hub with a company's certificate is trusted with ${name}`, async () => {
      await using company = await startCompany();
      const { offered } = await company.download({ [name]: company.authority.file });
      assert.deepEqual(offered, [ID]);
    });
  }

  test('without it the error names the settings, and nothing is sent', async () => {
    await using company = await startCompany();
    await assert.rejects(company.download({}), (error) => {
      assert.match(
        (error as Error).message,
        /The certificate of https:.* is not trusted .*set SSL_CERT_FILE or REQUESTS_CA_BUNDLE/,
      );
      return reasonOf(error) === 'network';
    });
    assert.deepEqual(company.hub.requests, []);
  });

  test('a download uses the proxy, also when it is briefly unavailable', async () => {
    await using company = await startCompany();
    const { authority, proxy, hub, download } = company;
    const settings = { SSL_CERT_FILE: authority.file, HTTPS_PROXY: proxy.url };
    // The second connection asks what the model is, the third is for a file.
    proxy.refusals.push('503 Service Unavailable', undefined, '502 Bad Gateway');
    const { offered, phases } = await download(settings);
    assert.deepEqual(offered, [ID]);
    assert.ok(phases.includes('waiting'), phases.join());
    // The Hub, and the other host that has the weights.
    assert.equal(new Set(proxy.asked).size, 2);
    assert.equal(proxy.asked[0], new URL(hub.url).host);
    proxy.refusals.push('407 Proxy Authentication Required');
    await assert.rejects(download(settings), /The proxy requires a user name and password/);
  });

  test('a download does not use the proxy for a host in NO_PROXY', async () => {
    await using company = await startCompany();
    const { authority, proxy, download } = company;
    const { offered } = await download({
      SSL_CERT_FILE: authority.file,
      HTTPS_PROXY: proxy.url,
      NO_PROXY: 'localhost,127.0.0.1',
    });
    assert.deepEqual([offered, proxy.asked], [[ID], []]);
  });
});
