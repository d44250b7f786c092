import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { endless, post, question, statsOf, stream, streamedText, textOf } from '../support/chat.ts';
import { drawShape, toDataUrl } from '../support/pictures.ts';
import {
  applySettings,
  type RunningService,
  runtimeMetrics,
  startService,
  until,
} from '../support/service.ts';

const redCircle = toDataUrl(await drawShape({ shape: 'circle', color: 'red' }), 'image/png');
const answer = 'A red circle on a white background.';
const forever = endless(redCircle);
let running: RunningService;
before(async () => {
  running = await startService();
});
after(() => running.stop());

/** mlx_vlm's own metrics that show whether it is still generating. */
interface Metrics {
  summary: { in_flight: number; last_error: { error: string } };
}

test('a full queue refuses the next request with the seed’s body, and still serves a stream', async () => {
  await applySettings(running, { queueSize: 2, maxConcurrency: 1 });
  const gone = new AbortController();
  const held = [1, 2, 3].map(() => post(running.url, forever, { signal: gone.signal }));
  const ended = Promise.allSettled(held);
  await until(running, () => running.service.queue.stats.queueSize === 2);

  const fourth = await post(running.url, question(redCircle));
  assert.equal(fourth.status, 429);
  assert.equal(fourth.body.detail, 'Too many requests. Service is at capacity.');
  assert.deepEqual(
    [fourth.body.error.type, fourth.body.error.code],
    ['rate_limit_error', 'queue_full'],
  );
  assert.match(fourth.headers.get('retry-after') ?? '', /^[1-9]\d*$/);
  assert.equal(await streamedText(running.url, question(redCircle)), answer);
  assert.deepEqual(await statsOf(running.url), {
    running: true,
    queue_size: 2,
    max_queue_size: 2,
    active_requests: 3,
    max_concurrency: 1,
  });
  gone.abort();
  await ended;
  await until(running, () => running.service.queue.stats.activeRequests === 0);
  assert.equal(textOf(await post(running.url, question(redCircle))), answer);
});

test('a request past its deadline gets 504 and the runtime stops generating for it', async () => {
  await applySettings(running, { queueTimeoutSeconds: 1 });
  const { status, body, headers } = await post(running.url, forever);
  assert.deepEqual(
    [status, body.error.type, body.error.code, headers.get('x-should-retry')],
    [504, 'timeout_error', 'queue_timeout', 'false'],
  );
  await until(running, () => running.service.queue.stats.activeRequests === 0);
  const runtime = await running.runtime();
  assert.equal((await runtime.progress()).active, 0);
  // mlx_vlm counts after the request itself has ended.
  const signal = AbortSignal.timeout(30_000);
  let { summary } = (await runtimeMetrics(runtime)) as Metrics;
  while (summary.in_flight > 0) {
    await setTimeout(20, undefined, { signal }); // mlx_vlm announces nothing
    ({ summary } = (await runtimeMetrics(runtime)) as Metrics);
  }
  assert.deepEqual(
    [summary.in_flight, summary.last_error.error],
    [0, 'stream_closed_before_completion'],
  );
});

test('a client that disconnects while waiting leaves the queue immediately', async () => {
  await applySettings(running);
  const [first, second] = [new AbortController(), new AbortController()];
  const ended = Promise.allSettled([
    post(running.url, forever, { signal: first.signal }),
    post(running.url, forever, { signal: second.signal }),
  ]);
  await until(running, () => running.service.queue.stats.activeRequests === 2);
  second.abort();
  first.abort();
  await until(running, () => running.service.queue.stats.activeRequests === 0);
  await ended;
});

test('a running request is cancelled when its client disconnects', async () => {
  await applySettings(running);
  const gone = new AbortController();
  const ended = Promise.allSettled([post(running.url, forever, { signal: gone.signal })]);
  await until(running, () => running.service.queue.stats.runningCount === 1);
  const next = post(running.url, question(redCircle));
  await until(running, () => running.service.queue.stats.queueSize === 1);
  gone.abort();
  await until(running, () => running.service.queue.stats.queueSize === 0, 10_000);
  assert.equal(textOf(await next), answer);
  await ended;
});

test('a cancelled stream ends for its client and in the runtime', async () => {
  await applySettings(running);
  const { activity } = running.service;
  const events = stream(running.url, forever);
  await events.next(); // it generates
  assert.equal(activity.cancel(activity.active()[0]?.id ?? ''), true);
  let last = '';
  for await (const event of events) last = event;
  assert.match(JSON.parse(last).error.message, /cancelled in Sightglass/);
  await activity.idle();
  assert.equal((await (await running.runtime()).progress()).active, 0);
});

test('no more streams are served than --max-streams', async () => {
  await applySettings(running, { maxStreams: 1 });
  const first = streamedText(running.url, forever).catch(() => 'cancelled');
  await until(running, () => running.service.activity.streams === 1);
  const { status, body } = await post(running.url, question(redCircle, { stream: true }));
  assert.deepEqual([status, body.error.code], [429, 'too_many_streams']);
  running.service.activity.cancelAll();
  assert.equal(await first, 'cancelled');
});
