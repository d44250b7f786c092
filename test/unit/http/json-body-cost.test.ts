import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import { type MessagePort, Worker } from 'node:worker_threads';
import { serveBodies } from './body-server.ts';

/** Runs a function in a separate thread, so that its work does not count as the server's. */
function inThread(
  work: (url: string, port: MessagePort, ...data: never[]) => unknown,
  url: string,
  ...data: unknown[]
) {
  const worker = new Worker(
    `const { parentPort, workerData } = require('node:worker_threads');
     Promise.resolve((${work})(workerData.url, parentPort, ...workerData.data))
       .then((result) => { parentPort.postMessage(result); parentPort.close(); });`,
    { eval: true, workerData: { url, data } },
  );
  const result = once(worker, 'message').then(([message]) => message);
  return { result, stop: () => worker.postMessage('stop') };
}

/** Sends requests until stopped. Returns the slowest response time in milliseconds. */
async function askOften(url: string, port: MessagePort) {
  let [slowest, isStopped] = [0, false];
  (port as unknown as NodeJS.EventEmitter).on('message', () => {
    isStopped = true;
  });
  const headers = { 'content-type': 'application/json' };
  while (!isStopped) {
    const start = performance.now();
    const response = await fetch(url, { method: 'POST', headers, body: '{"a":1}' });
    if ((await response.text()) !== '{"a":1}') throw new Error('a wrong answer');
    slowest = Math.max(slowest, performance.now() - start);
  }
  return Math.round(slowest);
}

/** Posts `head`, `unit` repeatedly, and `tail`. Reads the response as soon as it arrives. */
function postRepeated(
  url: string,
  _: MessagePort,
  head: string,
  unit: string,
  times: number,
  tail: string,
) {
  const body = Buffer.from(head + unit.repeat(times) + tail);
  const { request } = process.getBuiltinModule('node:http');
  const headers = { 'content-type': 'application/json', 'content-length': body.length };
  return new Promise((resolve, reject) => {
    const sent = request(url, { method: 'POST', headers }, (response) => {
      response.setEncoding('utf8');
      let answer = '';
      response.on('data', (text) => {
        answer += text;
      });
      response.on('end', () => {
        sent.destroy();
        resolve({ status: response.statusCode, code: JSON.parse(answer).error?.code });
      });
    });
    sent.on('error', reject);
    sent.end(body);
  });
}

/**
 * The longest time that this thread was busy between two timer ticks. Measured in CPU time, since
 * wall time includes other processes.
 */
function startStallWatch() {
  let [longest, before] = [0, process.threadCpuUsage()];
  const timer = setInterval(() => {
    const now = process.threadCpuUsage();
    longest = Math.max(longest, now.user + now.system - before.user - before.system);
    before = now;
  }, 1);
  return () => {
    clearInterval(timer);
    return Math.round(longest / 1000);
  };
}

/** What a large body costs this thread, in all and at a stretch, and how long another client waits. */
async function costOf(
  url: string,
  ...body: [head: string, unit: string, times: number, tail: string]
) {
  const other = inThread(askOften, url);
  const sent = inThread(postRepeated, url, ...body);
  const stopWatch = startStallWatch();
  const before = process.threadCpuUsage();
  const answer = await sent.result;
  const { user, system } = process.threadCpuUsage(before);
  const stallMs = stopWatch();
  other.stop();
  const cpuMs = Math.round((user + system) / 1000);
  return { ...answer, cpuMs, stallMs, otherMs: await other.result };
}

for (const megabytes of [1, 10, 100]) {
  test(`a list of zeros of ${megabytes} MB is refused early, without delaying others`, async (t) => {
    const { url, budget } = await serveBodies(t, { maxMegabytes: 101 });
    const cost = await costOf(url, '{"messages":[0', ',0', megabytes * 500_000, ']}');
    t.diagnostic(JSON.stringify(cost));
    assert.deepEqual([cost.status, cost.code], [400, 'body_too_complex']);
    assert.ok(cost.cpuMs < 1000);
    assert.ok(cost.stallMs < 100);
    assert.equal(budget.used, 0);
  });
}

const part = `{"type":"text","text":"${'abcdefghi '.repeat(80)}"},`;
const allowed: [string, [head: string, unit: string, times: number, tail: string]][] = [
  ['the most text', ['{"messages":[{"content":[', part, 9000, '0]}]}']],
  ['one text', ['{"x":"', 'abcdefghij', 780_000, '"}']],
  ['the most values', ['{"a":[', '[{"a":1,"b":[0]}],', 9800, '0]}']],
  ['a large image', ['{"messages":[{"content":[{"image_url":"data:', 'abcd', 24_000_000, '"}]}]}']],
  [
    'an image with escapes',
    ['{"messages":[{"content":[{"image_url":"data:', 'ab\\/c', 19_000_000, '"}]}]}'],
  ],
  [
    'an image of escapes',
    ['{"messages":[{"content":[{"image_url":"', '\\u0061', 15_000_000, '"}]}]}'],
  ],
  [
    'images under a long name',
    [`{"${'k'.repeat(6e6)}":[`, `{"url":"${'abcd'.repeat(4100)}"},`, 480, '0]}'],
  ],
  [
    'many images',
    ['{"messages":[{"content":[', `{"image_url":"${'abcd'.repeat(15_000)}"},`, 1500, '0]}]}'],
  ],
];
for (const [what, body] of allowed) {
  test(`a body of ${what} within the limits does not delay others`, async (t) => {
    const { url } = await serveBodies(t, {
      use: (body) => ({ a: Object(body).a === 1 ? 1 : undefined }),
    });
    const cost = await costOf(url, ...body);
    t.diagnostic(JSON.stringify(cost));
    assert.equal(cost.status, 200);
    assert.ok(cost.stallMs < 100);
  });
}
