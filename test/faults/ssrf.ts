import { once } from 'node:events';
import { createServer } from 'node:http';
import { question } from '../support/chat.ts';
import type { Campaign } from './campaign.ts';
import { ask, type KnownPicture, Tally } from './clients.ts';
import { ServiceProcess } from './service-process.ts';

/** Addresses of this machine and private networks in various notations. */
const HOSTS = [
  '127.0.0.1',
  'localhost',
  'LOCALHOST.',
  'a.localhost',
  '127.1',
  '127.0.1',
  '2130706433',
  '0x7f000001',
  '0177.0.0.1',
  '0x7f.1',
  '127.0.0.1.',
  '[::1]',
  '[::ffff:127.0.0.1]',
  '[::ffff:7f00:1]',
  '[0:0:0:0:0:0:0:1]',
  '0.0.0.0',
  '0',
  '[::]',
  '127。0。0。1',
  '①②⑦.⓪.⓪.①',
  '10.0.0.1',
  '192.168.0.1',
  '172.16.0.1',
  '169.254.169.254',
  '[fe80::1]',
  '[fd00::1]',
  '100.64.0.1',
  '[64:ff9b::7f00:1]',
  '[2002:7f00:1::]',
  'user:pw@127.0.0.1',
  '127.0.0.1#@example.com',
  'example.com@127.0.0.1',
  '127.255.255.254',
  '[::127.0.0.1]',
  '224.0.0.1',
  '255.255.255.255',
];
const OTHER_URLS = [
  'file:///etc/passwd',
  'ftp://127.0.0.1/a',
  'gopher://127.0.0.1/',
  '/etc/passwd',
  'http:127.0.0.1',
  'http:\\\\127.0.0.1',
  ' http://127.0.0.1',
  'http:///127.0.0.1',
  'HTTP://127.0.0.1',
  'blob:http://127.0.0.1',
];

/** Requests with an image URL, by API. */
const REQUESTS: Readonly<Record<string, (url: string) => object>> = {
  '/v1/chat/completions': (url) => question(url),
  '/v1/responses': (url) => ({
    input: [{ role: 'user', content: [{ type: 'input_image', image_url: url }] }],
  }),
  '/v1/messages': (url) => ({
    max_tokens: 4,
    messages: [{ role: 'user', content: [{ type: 'image', source: { type: 'url', url } }] }],
  }),
};

/** Sends image URLs with local and private addresses. The service must not request any of them. */
export const requestForgery: Campaign = {
  name: 'SSRF',
  run: async ({ known }) => {
    const target = await startTarget();
    const service = await ServiceProcess.start(['--max-concurrency', '4', '--allow-text-only']);
    const urls = [
      ...HOSTS.flatMap((host) => [
        `http://${host}:${target.port}/a.png`,
        `https://${host}:${target.port}/a.png`,
      ]),
      ...OTHER_URLS,
    ];
    const problems: string[] = [];
    for (const url of urls) {
      for (const [path, toBody] of Object.entries(REQUESTS)) {
        const { status } = await fetch(`${service.url}${path}`, {
          method: 'POST',
          headers: { 'content-type': 'application/json' },
          body: JSON.stringify(toBody(url)),
        });
        if (status !== 400) problems.push(`${url} on ${path}: ${status}`);
      }
    }
    const tally = new Tally();
    await ask(service.url, known[0] as KnownPicture, false, tally);
    await service.stop();
    const received = await target.stop();
    if (received > 0) problems.push(`the local server received ${received} requests`);
    const apis = Object.keys(REQUESTS).length;
    return {
      figures: `${urls.length} URLs on ${apis} APIs: the local server received ${received} requests`,
      problems: [...problems.slice(0, 5), ...tally.problems],
    };
  },
};

/** Starts a local server that counts requests. `stop` resolves with their number. */
async function startTarget() {
  let received = 0;
  const server = createServer((_request, response) => {
    received += 1;
    response.end();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  const stop = async () => {
    await new Promise((closed) => server.close(closed));
    return received;
  };
  return { port, stop };
}
