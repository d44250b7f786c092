import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { setTimeout } from 'node:timers/promises';
import { endless, question } from '../support/chat.ts';
import type { Campaign } from './campaign.ts';
import { ask, type KnownPicture, Tally } from './clients.ts';
import { ServiceProcess } from './service-process.ts';

const ALLOWED_ANSWER_MS = 5000;
const MEGABYTE = 1_000_000;

/** Opens connections that send slowly, announce large bodies, send nothing or stop reading. */
export const slowClients: Campaign = {
  name: 'slow clients',
  run: async ({ full, known }) => {
    const times = full ? 1 : 0.2;
    const service = await ServiceProcess.start(['--max-concurrency', '2']);
    const { port } = new URL(service.url);
    const sockets: Socket[] = [];
    const open = async (count: number, first: string) => {
      for (let each = 0; each < count * times; each += 1) {
        const socket = connect(Number(port), '127.0.0.1');
        socket.on('error', () => {}); // the service may close it
        await once(socket, 'connect');
        socket.write(first);
        sockets.push(socket);
      }
      return sockets.slice(-Math.ceil(count * times));
    };
    const head = (length: number) =>
      `POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: ${length}\r\n\r\n`;
    const slowloris = await open(
      100,
      'POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\nx-a: ',
    );
    const trickling = await open(60, `${head(MEGABYTE)}{"messages":"`);
    await open(30, `${head(100 * MEGABYTE - 1000)}{"messages":"`);
    await open(500, '');
    const unread = JSON.stringify({ ...endless(known[0]?.image ?? ''), stream: true });
    for (const socket of await open(20, head(Buffer.byteLength(unread)) + unread)) socket.pause();
    const drip = setInterval(() => {
      for (const socket of [...slowloris, ...trickling]) socket.write('a');
    }, 200);
    const tally = new Tally();
    const answeredMs: number[] = [];
    for (const picture of known.slice(0, full ? 30 : 8)) {
      const startedAt = performance.now();
      await ask(service.url, picture, false, tally);
      answeredMs.push(performance.now() - startedAt);
    }
    clearInterval(drip);
    for (const socket of sockets) socket.destroy();
    await ask(service.url, known[0] as KnownPicture, true, tally);
    await service.stop();
    const slowest = Math.max(...answeredMs);
    const problems = [...tally.problems];
    if (slowest > ALLOWED_ANSWER_MS) problems.push(`an answer took ${slowest.toFixed(0)} ms`);
    return {
      figures: `${sockets.length} connections; other clients waited at most ${(slowest / 1000).toFixed(1)} s for an answer`,
      problems,
    };
  },
};

const BODY = JSON.stringify(question('data:image/png;base64,AAAA'));
const LENGTH = Buffer.byteLength(BODY);
const start = (...lines: string[]) =>
  `POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n${lines.map((line) => `${line}\r\n`).join('')}\r\n`;

/** Malformed HTTP. With `end`, the client then half-closes the connection. `isAnswered` allows a 200. */
const BROKEN: Readonly<Record<string, { bytes: string; end?: boolean; isAnswered?: boolean }>> = {
  'no HTTP at all': { bytes: 'hello there\r\n\r\n' },
  'a TLS hello': { bytes: '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03' },
  'HTTP/2 without negotiation': { bytes: 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n' },
  'an unknown method': { bytes: 'FETCH / HTTP/1.1\r\nHost: localhost\r\n\r\n' },
  'a method in lower case': { bytes: 'get /health HTTP/1.1\r\nHost: localhost\r\n\r\n' },
  // HTTP/0.9, which Node answers
  'no version': { bytes: 'GET /health\r\n\r\n', isAnswered: true },
  'a header without a colon': { bytes: 'GET /health HTTP/1.1\r\nHost localhost\r\n\r\n' },
  'a space before the colon': { bytes: start(`Content-Length : ${LENGTH}`) + BODY },
  'a folded header': { bytes: `GET /health HTTP/1.1\r\nHost: localhost\r\nx: a\r\n b\r\n\r\n` },
  'a NUL in a header': { bytes: 'GET /health HTTP/1.1\r\nHost: localhost\r\nx: a\0b\r\n\r\n' },
  'headers of 100 KB': {
    bytes: `GET /health HTTP/1.1\r\nHost: localhost\r\nx: ${'a'.repeat(100_000)}\r\n\r\n`,
  },
  'a URL of 100 KB': { bytes: `GET /${'a'.repeat(100_000)} HTTP/1.1\r\nHost: localhost\r\n\r\n` },
  'two lengths': { bytes: start(`Content-Length: ${LENGTH}`, 'Content-Length: 1') + BODY },
  'a length and chunks': {
    bytes: `${start(`Content-Length: ${LENGTH}`, 'Transfer-Encoding: chunked')}0\r\n\r\n${BODY}`,
  },
  'a negative length': { bytes: start('Content-Length: -1') + BODY },
  'a length that is not a number': { bytes: start('Content-Length: 1e3') + BODY },
  'a chunk size that is not a number': {
    bytes: `${start('Transfer-Encoding: chunked')}zz\r\n${BODY}\r\n0\r\n\r\n`,
  },
  'a chunk size of 20 digits': {
    bytes: `${start('Transfer-Encoding: chunked')}${'f'.repeat(20)}\r\n${BODY}\r\n0\r\n\r\n`,
  },
  'an unknown transfer encoding': { bytes: start('Transfer-Encoding: gzip') + BODY },
  'a body that ends early': { bytes: start(`Content-Length: ${LENGTH + 10}`) + BODY, end: true },
  'a length that is too short': { bytes: start('Content-Length: 10') + BODY },
};
const ANSWER_WITHIN_MS = 5000;

/** Sends malformed HTTP. It must be rejected with a response, and never be parsed as two requests. */
export const brokenHttp: Campaign = {
  name: 'broken HTTP',
  run: async ({ known }) => {
    const service = await ServiceProcess.start();
    const { port } = new URL(service.url);
    const problems: string[] = [];
    const statuses = new Map<string, number>();
    for (const [name, { bytes, end, isAnswered }] of Object.entries(BROKEN)) {
      const answer = await send(Number(port), bytes, end === true);
      const codes = [...answer.matchAll(/^HTTP\/1\.1 (\d+)/gm)].map(([, code = '']) => code);
      statuses.set(codes[0] ?? 'no answer', (statuses.get(codes[0] ?? 'no answer') ?? 0) + 1);
      if (codes.length === 0) problems.push(`${name}: closed without a response`);
      if (codes.some((code) => code.startsWith('5'))) problems.push(`${name}: ${codes}`);
      const answered = codes.filter((code) => code === '200').length;
      if (answered > (isAnswered ? 1 : 0)) problems.push(`${name}: ${answered} requests answered`);
    }
    const tally = new Tally();
    await ask(service.url, known[0] as KnownPicture, false, tally);
    await service.stop();
    const counted = [...statuses].map(([code, count]) => `${count} × ${code}`).join(', ');
    return {
      figures: `${Object.keys(BROKEN).length} kinds: ${counted}`,
      problems: [...problems, ...tally.problems],
    };
  },
};

/** Returns the data received until the connection closes or times out. */
async function send(port: number, bytes: string, isHalfClosed: boolean): Promise<string> {
  const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
  let answer = '';
  socket.setEncoding('latin1').on('data', (text) => {
    answer += text;
  });
  const closed = once(socket, 'end').catch(() => {});
  socket.write(Buffer.from(bytes, 'latin1'));
  if (isHalfClosed) socket.end();
  await Promise.race([closed, setTimeout(ANSWER_WITHIN_MS, undefined, { ref: false })]);
  socket.destroy();
  return answer;
}
