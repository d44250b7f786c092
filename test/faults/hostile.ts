import { once } from 'node:events';
import { connect } from 'node:net';
import { imagePart, post, question, userMessage } from '../support/chat.ts';
import { hostileBodies, outcomeOf } from '../support/hostile-bodies.ts';
import type { Campaign } from './campaign.ts';
import { ask, type KnownPicture, Tally } from './clients.ts';
import { hostileImages, noisePng } from './hostile-images.ts';
import { ServiceProcess } from './service-process.ts';

const MEGABYTE = 1_000_000;
const SLOWEST_ANSWER_MS = 10_000;
const REFUSED_WITHIN_MS = 1000;
/** The longest allowed stall of the event loop, in CPU time. */
const LONGEST_STALL_MS = 100;
/** The documented memory of the service, its requests and its decoders (docs/limits.md), rounded up. */
const MAX_MEMORY_BYTES = 1.5e9;
/** The memory of the runtime with the demo model. It never decodes images larger than the gateway sends. */
const MAX_RUNTIME_BYTES = 0.5e9;
const FLAGS = ['--max-concurrency', '4', '--allow-text-only'];
const toMegabytes = (bytes: number) => `${(bytes / MEGABYTE).toFixed(0)} MB`;

/** Sends the bodies while an ordinary client keeps asking, and checks every response. */
async function sendAll(
  service: ServiceProcess,
  bodies: readonly unknown[],
  known: readonly KnownPicture[],
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
  const askUntilDone = async () => {
    for (let at = 0; !isDone; at += 1) {
      await ask(service.url, known[at % known.length] as KnownPicture, false, bystander);
    }
  };
  const asking = askUntilDone();
  await Promise.all(Array.from({ length: clients }, worker));
  isDone = true;
  await asking;
  const { longestStallMs } = await service.vitals();
  if (longestStallMs > LONGEST_STALL_MS) {
    problems.push(`a stall of ${longestStallMs.toFixed(0)} ms`);
  }
  return {
    slowestMs,
    longestStallMs,
    problems: [...problems.slice(0, 5), ...bystander.problems],
    summary: `${[...counts].map(([outcome, count]) => `${count} ${outcome.slice(0, 40)}`).join(', ')}; slowest ${(slowestMs / 1000).toFixed(1)} s; longest stall ${longestStallMs.toFixed(0)} ms; ordinary client: ${bystander}`,
  };
}

/** Returns which memory limits were exceeded. */
function memoryProblems(nodeBytes: number, runtimeBytes = 0): string[] {
  return [
    ...(nodeBytes > MAX_MEMORY_BYTES ? [`Node used ${toMegabytes(nodeBytes)}`] : []),
    ...(runtimeBytes > MAX_RUNTIME_BYTES ? [`Python used ${toMegabytes(runtimeBytes)}`] : []),
  ];
}

/** Sends generated bodies, valid and invalid. */
export const bodies: Campaign = {
  name: 'hostile bodies',
  run: async ({ full, known }) => {
    const service = await ServiceProcess.start(FLAGS);
    await ask(service.url, known[0] as KnownPicture, false, new Tally());
    await service.vitals();
    const sent = hostileBodies(full ? 5000 : 500, Date.now() % 1e6);
    const { summary, problems } = await sendAll(service, sent, known, 8);
    await service.stop();
    return { figures: `${sent.length}: ${summary}`, problems };
  },
};

/** Sends bodies below the size limit that are expensive to process. */
export const heavyBodies: Campaign = {
  name: 'heavy bodies',
  run: async ({ known }) => {
    const service = await ServiceProcess.start(FLAGS);
    await ask(service.url, known[0] as KnownPicture, false, new Tally());
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
    const results: string[] = [];
    const problems: string[] = [];
    for (const [name, body] of heavy) {
      const {
        slowestMs,
        longestStallMs,
        problems: found,
      } = await sendAll(service, [body], known, 1);
      results.push(
        `${name} ${(slowestMs / 1000).toFixed(2)} s, stall ${longestStallMs.toFixed(0)} ms`,
      );
      problems.push(...found.map((problem) => `${name}: ${problem}`));
      const isQuick = /zeros|images|depth|million/.test(name);
      if (isQuick && slowestMs > REFUSED_WITHIN_MS) problems.push(`${name} took ${slowestMs} ms`);
    }
    const { peakRssBytes } = await service.vitals();
    await service.stop();
    return {
      figures: `${results.join('; ')}; peak of Node ${toMegabytes(peakRssBytes)}`,
      problems: [...problems, ...memoryProblems(peakRssBytes)],
    };
  },
};

/** Sends more data than the memory for requests: incomplete bodies, then queued requests. */
export const floods: Campaign = {
  name: 'floods',
  run: async ({ full, known }) => {
    const service = await ServiceProcess.start(['--max-body-megabytes', '100']);
    const { port } = new URL(service.url);
    const problems: string[] = [];
    const count = full ? 45 : 12;
    const { sockets, refusals } = await openIncomplete(Number(port), count);
    const tally = new Tally();
    await ask(service.url, known[0] as KnownPicture, false, tally);
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
    await ask(service.url, known[1] as KnownPicture, false, tally);
    const { peakRssBytes } = await service.vitals();
    await service.stop();
    if (refusals() === 0) problems.push('no incomplete body was refused');
    problems.push(...memoryProblems(peakRssBytes));
    if ([...statuses.keys()].some((status) => status === 0 || status >= 500)) {
      problems.push(`statuses ${[...statuses]}`);
    }
    return {
      figures: `${count} incomplete bodies of 94 MB: ${refusals()} refused, peak of Node ${toMegabytes(first.peakRssBytes)}; ${waiting} requests of 30 MB: ${[...statuses].map(([status, count]) => `${count} × ${status}`).join(', ')}, peak ${toMegabytes(peakRssBytes)}`,
      problems: [...problems, ...tally.problems],
    };
  },
};

/** Opens connections that send most of a large body, but not the end. Counts those refused with 429. */
async function openIncomplete(port: number, count: number) {
  const head = `POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 98566144\r\n\r\n{"messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"data:image/png;base64,`;
  const chunk = Buffer.alloc(MEGABYTE, 'a');
  let refused = 0;
  const sockets = await Promise.all(
    Array.from({ length: count }, async () => {
      const socket = connect(port, '127.0.0.1');
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
  return { sockets, refusals: () => refused };
}

/** Sends images that are slow to decode, large or invalid. */
export const images: Campaign = {
  name: 'hostile images',
  run: async ({ full, known }) => {
    const service = await ServiceProcess.start(FLAGS);
    await ask(service.url, known[0] as KnownPicture, false, new Tally());
    await service.vitals();
    const files = await hostileImages(full ? 100 : 25);
    const sent = files.map((url) => question(url, { max_tokens: 4 }));
    const { summary, problems } = await sendAll(service, sent, known, 4);
    const { peakRssBytes } = await service.vitals();
    const python = service.peakRuntimeBytes;
    await service.stop();
    return {
      figures: `${sent.length}: ${summary}; peak of Node ${toMegabytes(peakRssBytes)}, of Python ${toMegabytes(python)}`,
      problems: [...problems, ...memoryProblems(peakRssBytes, python)],
    };
  },
};

/** Sends schemas that cannot, or should not, be compiled to a grammar. */

export const grammars: Campaign = {
  name: 'hostile grammars',
  run: async ({ known }) => {
    const service = await ServiceProcess.start(FLAGS);
    await ask(service.url, known[0] as KnownPicture, false, new Tally());
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
    const { summary, problems } = await sendAll(service, sent, known, 2);
    const python = service.peakRuntimeBytes;
    await service.stop();
    return {
      figures: `${sent.length}: ${summary}; peak of Python ${toMegabytes(python)}`,
      problems,
    };
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
