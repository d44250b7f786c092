import { once } from 'node:events';
import { createServer } from 'node:http';
import { connect } from 'node:net';
import { imagePart, post, question, userMessage } from '../support/chat.ts';
import { hostileBodies, outcomeOf } from '../support/hostile-bodies.ts';
import { ask, type Known, Tally } from './asking.ts';
import type { Campaign } from './campaign.ts';
import { hostileImages, noisePng } from './hostile-images.ts';
import { ServiceProcess } from './service-process.ts';

const MEGABYTE = 1_000_000;
const SLOWEST_ANSWER_MS = 10_000;
const REFUSED_WITHIN_MS = 1000;
/** Of the event loop, in CPU time. */
const LONGEST_STALL_MS = 100;
/** The service's own memory, that of requests and that of decoders (docs/limits.md), rounded up. */
const MOST_MEMORY_BYTES = 1.5e9;
/** Of the runtime with the demo model; it never decodes an image larger than the gateway sends. */
const MOST_RUNTIME_BYTES = 0.5e9;
const FLAGS = ['--max-concurrency', '4', '--allow-text-only'];
const toMegabytes = (bytes: number) => `${(bytes / MEGABYTE).toFixed(0)} MB`;

/** Sends the bodies while an ordinary client keeps asking, and checks every answer. */
async function sendAll(
  service: ServiceProcess,
  bodies: readonly unknown[],
  known: readonly Known[],
  clients: number,
) {
  const problems: string[] = [];
  const counts = new Map<string, number>();
  const bystander = new Tally();
  let [slowestMs, isDone] = [0, false];
  const next = bodies.entries();
  const worker = async () => {
    for (const [at, body] of next) {
      const startedAt = performance.now();
      const outcome = await outcomeOf(service.url, body).catch((error) => `no answer: ${error}`);
      const tookMs = performance.now() - startedAt;
      slowestMs = Math.max(slowestMs, tookMs);
      counts.set(outcome, (counts.get(outcome) ?? 0) + 1);
      if (outcome !== 'answered' && outcome !== 'refused') problems.push(`body ${at}: ${outcome}`);
      if (tookMs > SLOWEST_ANSWER_MS) problems.push(`body ${at} took ${tookMs.toFixed(0)} ms`);
    }
  };
  const stand = async () => {
    for (let at = 0; !isDone; at += 1) {
      await ask(service.url, known[at % known.length] as Known, false, bystander);
    }
  };
  const standing = stand();
  await Promise.all(Array.from({ length: clients }, worker));
  isDone = true;
  await standing;
  const { longestStallMs } = await service.vitals();
  if (longestStallMs > LONGEST_STALL_MS) {
    problems.push(`a stall of ${longestStallMs.toFixed(0)} ms`);
  }
  return {
    slowestMs,
    longestStallMs,
    problems: [...problems.slice(0, 5), ...bystander.problems],
    words: `${[...counts].map(([outcome, count]) => `${count} ${outcome.slice(0, 40)}`).join(', ')}; slowest ${(slowestMs / 1000).toFixed(1)} s; longest stall ${longestStallMs.toFixed(0)} ms; others: ${bystander}`,
  };
}

/** What exceeds the documented bounds of memory. */
function memoryProblems(nodeBytes: number, runtimeBytes = 0): string[] {
  return [
    ...(nodeBytes > MOST_MEMORY_BYTES ? [`Node took ${toMegabytes(nodeBytes)}`] : []),
    ...(runtimeBytes > MOST_RUNTIME_BYTES ? [`Python took ${toMegabytes(runtimeBytes)}`] : []),
  ];
}

/** Generated bodies, valid and invalid. */
export const bodies: Campaign = {
  name: 'hostile bodies',
  run: async ({ full, known }) => {
    const service = await ServiceProcess.start(FLAGS);
    await ask(service.url, known[0] as Known, false, new Tally());
    await service.vitals();
    const sent = hostileBodies(full ? 5000 : 500, Date.now() % 1e6);
    const { words, problems } = await sendAll(service, sent, known, 8);
    await service.stop();
    return { figures: `${sent.length}: ${words}`, problems };
  },
};

/** Bodies below the size limit that are expensive to process. */
export const heavyBodies: Campaign = {
  name: 'heavy bodies',
  run: async ({ known }) => {
    const service = await ServiceProcess.start(FLAGS);
    await ask(service.url, known[0] as Known, false, new Tally());
    await service.vitals();
    const tiny = imagePart(known[0]?.image ?? '');
    const zeros = (megabytes: number) =>
      `{"messages":[${'0,'.repeat((megabytes * MEGABYTE) / 2)}0]}`;
    const heavy: [string, unknown][] = [
      ['1 MB of zeros', zeros(1)],
      ['10 MB of zeros', zeros(10)],
      ['99 MB of zeros', zeros(99)],
      ['4,000 images', { messages: [{ role: 'user', content: Array(4000).fill(tiny) }] }],
      ['10 MB of text', { messages: [userMessage('a '.repeat(5 * MEGABYTE))] }],
      ['95 MB of text', { messages: [userMessage('a '.repeat(47 * MEGABYTE))] }],
      ['100,000 messages', { messages: Array(100_000).fill({ role: 'user', content: 'a' }) }],
      ['depth 100,000', `{"messages":${'['.repeat(100_000)}${']'.repeat(100_000)}}`],
      ['a million keys', `{${Array.from({ length: 1e6 }, (_, at) => `"k${at}":0`).join(',')}}`],
      ['a key of 50 MB', `{"${'k'.repeat(50 * MEGABYTE)}":0}`],
    ];
    const words: string[] = [];
    const problems: string[] = [];
    for (const [name, body] of heavy) {
      const {
        slowestMs,
        longestStallMs,
        problems: found,
      } = await sendAll(service, [body], known, 1);
      words.push(
        `${name} ${(slowestMs / 1000).toFixed(2)} s, stall ${longestStallMs.toFixed(0)} ms`,
      );
      problems.push(...found.map((problem) => `${name}: ${problem}`));
      const isQuick = /zeros|images|depth|million/.test(name);
      if (isQuick && slowestMs > REFUSED_WITHIN_MS) problems.push(`${name} took ${slowestMs} ms`);
    }
    const { peakRssBytes } = await service.vitals();
    await service.stop();
    return {
      figures: `${words.join('; ')}; peak of Node ${toMegabytes(peakRssBytes)}`,
      problems: [...problems, ...memoryProblems(peakRssBytes)],
    };
  },
};

/** More data than the memory for requests: unfinished bodies, then waiting requests. */
export const floods: Campaign = {
  name: 'floods',
  run: async ({ full, known }) => {
    const service = await ServiceProcess.start(['--max-body-megabytes', '100']);
    const { port } = new URL(service.url);
    const problems: string[] = [];
    const unfinished = full ? 45 : 12;
    const head = `POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 98566144\r\n\r\n{"messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"data:image/png;base64,`;
    const chunk = Buffer.alloc(MEGABYTE, 'a');
    let refused = 0;
    const sockets = await Promise.all(
      Array.from({ length: unfinished }, async () => {
        const socket = connect(Number(port), '127.0.0.1');
        socket.on('error', () => {});
        socket.on('data', (bytes) => {
          if (/^HTTP\/1\.1 429/.test(bytes.toString('latin1'))) refused += 1;
        });
        await once(socket, 'connect');
        const closed = once(socket, 'close').catch(() => {});
        socket.write(head);
        for (let sent = 0; sent < 94 && socket.writable; sent += 1) {
          if (!socket.write(chunk)) {
            await Promise.race([once(socket, 'drain').catch(() => {}), closed]);
          }
        }
        return socket;
      }),
    );
    const tally = new Tally();
    await ask(service.url, known[0] as Known, false, tally);
    for (const socket of sockets) socket.destroy();
    const first = await service.vitals();
    const noise = await noisePng(1900, 1900); // about 11 MB, 14.5 MB as base64
    const large = JSON.stringify({ messages: [userMessage('What is this?', noise, noise)] });
    const waiting = full ? 100 : 30;
    const statuses = new Map<number, number>();
    await Promise.all(
      Array.from({ length: waiting }, async () => {
        const { status } = await post(service.url, large).catch(() => ({ status: 0 }));
        statuses.set(status, (statuses.get(status) ?? 0) + 1);
      }),
    );
    await ask(service.url, known[1] as Known, false, tally);
    const { peakRssBytes } = await service.vitals();
    await service.stop();
    if (refused === 0) problems.push('no unfinished body was refused');
    problems.push(...memoryProblems(peakRssBytes));
    if ([...statuses.keys()].some((status) => status === 0 || status >= 500)) {
      problems.push(`statuses ${[...statuses]}`);
    }
    return {
      figures: `${unfinished} unfinished bodies of 94 MB: ${refused} refused, peak of Node ${toMegabytes(first.peakRssBytes)}; ${waiting} requests of 30 MB: ${[...statuses].map(([status, count]) => `${count} × ${status}`).join(', ')}, peak ${toMegabytes(peakRssBytes)}`,
      problems: [...problems, ...tally.problems],
    };
  },
};

/** Images made to be slow, large or invalid. */
export const images: Campaign = {
  name: 'hostile images',
  run: async ({ full, known }) => {
    const service = await ServiceProcess.start(FLAGS);
    await ask(service.url, known[0] as Known, false, new Tally());
    await service.vitals();
    const files = await hostileImages(full ? 100 : 25);
    const sent = files.map((url) => question(url, { max_tokens: 4 }));
    const { words, problems } = await sendAll(service, sent, known, 4);
    const { peakRssBytes } = await service.vitals();
    const python = service.peakRuntimeBytes;
    await service.stop();
    return {
      figures: `${sent.length}: ${words}; peak of Node ${toMegabytes(peakRssBytes)}, of Python ${toMegabytes(python)}`,
      problems: [...problems, ...memoryProblems(peakRssBytes, python)],
    };
  },
};

/** Schemas that cannot, or should not, be compiled to a grammar. */
export const grammars: Campaign = {
  name: 'hostile grammars',
  run: async ({ known }) => {
    const service = await ServiceProcess.start(FLAGS);
    await ask(service.url, known[0] as Known, false, new Tally());
    await service.vitals();
    const sent = hostileSchemas().flatMap((schema) => [
      question(known[0]?.image ?? '', {
        max_tokens: 4,
        response_format: { type: 'json_schema', json_schema: { name: 'a', schema } },
      }),
      question(known[0]?.image ?? '', {
        max_tokens: 4,
        tools: [{ type: 'function', function: { name: 'f', parameters: schema } }],
        tool_choice: 'required',
      }),
    ]);
    const { words, problems } = await sendAll(service, sent, known, 2);
    const python = service.peakRuntimeBytes;
    await service.stop();
    return { figures: `${sent.length}: ${words}; peak of Python ${toMegabytes(python)}`, problems };
  },
};

function hostileSchemas(): object[] {
  const numbers = (count: number) => Array.from({ length: count }, (_, at) => at);
  const properties = (count: number, value: object) =>
    Object.fromEntries(numbers(count).map((at) => [`p${at}`, value]));
  const nested = (depth: number): object =>
    depth === 0 ? { type: 'string' } : { type: 'object', properties: { a: nested(depth - 1) } };
  const words = numbers(20).map((at) => `value number ${at}`);
  const node = {
    type: 'object',
    properties: { next: { $ref: '#/$defs/node' } },
    required: ['next'],
  };
  return [
    { $ref: '#/$defs/node', $defs: { node } },
    { $ref: '#' },
    { type: 'object', properties: properties(1000, { enum: words }) },
    { type: 'object', properties: properties(20_000, { type: 'string' }) },
    { enum: numbers(100_000).map((at) => `word ${at}`) },
    nested(500),
    { type: 'string', pattern: '(a{1,1000}){1,1000}' },
    { type: 'string', pattern: '(((a+)+)+)+$' },
    { type: 'string', pattern: `(${numbers(5000).join('|')})*` },
    { type: 'string', minLength: 100_000, maxLength: 1_000_000 },
    { type: 'array', items: { type: 'string' }, minItems: 100_000 },
    { allOf: numbers(2000).map((at) => ({ properties: { [`p${at}`]: { type: 'number' } } })) },
    { anyOf: numbers(5000).map((at) => ({ const: { at, list: numbers(20) } })) },
    { type: 'integer', minimum: -1e300, maximum: 1e300 },
    {
      type: 'object',
      patternProperties: properties(500, { type: 'array', items: { enum: words } }),
    },
  ];
}

/** Addresses of this machine and its network in every notation; none may be requested. */
export const forgery: Campaign = {
  name: 'SSRF',
  run: async ({ known }) => {
    let heard = 0;
    const listener = createServer((_request, response) => {
      heard += 1;
      response.end();
    });
    listener.listen(0, '127.0.0.1');
    await once(listener, 'listening');
    const address = listener.address();
    const port = typeof address === 'object' && address !== null ? address.port : 0;
    const service = await ServiceProcess.start(FLAGS);
    const hosts = [
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
    const urls = [
      ...hosts.flatMap((host) => [`http://${host}:${port}/a.png`, `https://${host}:${port}/a.png`]),
      ...[
        'file:///etc/passwd',
        'ftp://127.0.0.1/a',
        'gopher://127.0.0.1/',
        '/etc/passwd',
        'http:127.0.0.1',
      ],
      ...[
        'http:\\\\127.0.0.1',
        ' http://127.0.0.1',
        'http:///127.0.0.1',
        'HTTP://127.0.0.1',
        'blob:http://127.0.0.1',
      ],
    ];
    const problems: string[] = [];
    const shapes: ((url: string) => [string, object])[] = [
      (url) => ['/v1/chat/completions', question(url)],
      (url) => [
        '/v1/responses',
        { input: [{ role: 'user', content: [{ type: 'input_image', image_url: url }] }] },
      ],
      (url) => [
        '/v1/messages',
        {
          max_tokens: 4,
          messages: [{ role: 'user', content: [{ type: 'image', source: { type: 'url', url } }] }],
        },
      ],
    ];
    for (const url of urls) {
      for (const shape of shapes) {
        const [path, body] = shape(url);
        const { status } = await fetch(`${service.url}${path}`, {
          method: 'POST',
          headers: { 'content-type': 'application/json' },
          body: JSON.stringify(body),
        });
        if (status !== 400) problems.push(`${url} on ${path}: ${status}`);
      }
    }
    const tally = new Tally();
    await ask(service.url, known[0] as Known, false, tally);
    await service.stop();
    await new Promise((closed) => listener.close(closed));
    if (heard > 0) problems.push(`the listener received ${heard} requests`);
    return {
      figures: `${urls.length} URLs on ${shapes.length} APIs: the listener received ${heard} requests`,
      problems: [...problems.slice(0, 5), ...tally.problems],
    };
  },
};
