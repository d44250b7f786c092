import assert from 'node:assert/strict';
import { EventEmitter } from 'node:events';
import type { ServerResponse } from 'node:http';
import { type TestContext, test } from 'node:test';
import { ClientGoneError } from '../../../server/http/errors.ts';
import { EventStream } from '../../../server/http/event-stream.ts';
import { countTimers } from '../../support/live-timers.ts';

const STALLED_MS = 300_000;
const KEEP_ALIVE = ': keep-alive\n\n';
const never = new AbortController().signal;

/** A response whose client reads on the test's command. */
class SlowResponse extends EventEmitter {
  readonly written: string[] = [];
  headersSent = false;
  head: unknown;
  takes = true;
  isEnded = false;
  isDestroyed = false;
  writableFinished = false;

  writeHead(status: number, headers: object): void {
    assert.equal(this.headersSent, false);
    this.headersSent = true;
    this.head = { status, headers };
  }

  get writableNeedDrain(): boolean {
    return !this.takes;
  }

  write(text: string): boolean {
    assert.equal(this.isEnded, false, 'nothing is written after the end');
    this.written.push(text);
    return this.takes;
  }

  end(text: string): void {
    this.write(text);
    this.isEnded = true;
    this.writableFinished = this.takes;
  }

  destroy(): void {
    this.isDestroyed = true;
    this.emit('close');
  }

  drain(): void {
    this.takes = true;
    this.emit('drain');
  }

  get waitingListeners(): number {
    return this.listenerCount('drain') + this.listenerCount('error') + this.listenerCount('close');
  }
}

function create(t: TestContext) {
  t.mock.timers.enable({ apis: ['setTimeout', 'setInterval'] });
  const timers = countTimers(t);
  const response = new SlowResponse();
  const stream = new EventStream(response as unknown as ServerResponse, 1000);
  return { response, stream, timers };
}

/** Whether a promise has settled. */
async function isPending(promise: Promise<unknown>): Promise<boolean> {
  const pending = Symbol('pending');
  for (let turn = 0; turn < 5; turn += 1) await Promise.resolve();
  return (await Promise.race([promise, Promise.resolve(pending)])) === pending;
}

test('the headers are sent with the first event, and forbid caching and buffering', (t) => {
  const { response, stream } = create(t);
  stream.add('a');
  assert.deepEqual(
    [stream.started, stream.hasContent, response.headersSent],
    [false, false, false],
  );
  void stream.flush(never);
  assert.deepEqual([stream.started, stream.hasContent], [true, true]);
  assert.deepEqual(response.head, {
    status: 200,
    headers: {
      'content-type': 'text/event-stream; charset=utf-8',
      'cache-control': 'no-cache',
      'x-accel-buffering': 'no',
    },
  });
});

test('added events are sent together, once', (t) => {
  const { response, stream } = create(t);
  stream.add('a');
  stream.add('b');
  void stream.flush(never);
  void stream.flush(never);
  assert.deepEqual(response.written, ['ab']);
});

test('a flush without events sends nothing, not even the headers', (t) => {
  const { response, stream } = create(t);
  assert.equal(stream.flush(never), undefined);
  assert.deepEqual([response.headersSent, stream.hasContent], [false, false]);
});

test('a flush does not wait for a client that keeps up', (t) => {
  const { stream } = create(t);
  stream.add('a');
  assert.equal(stream.flush(never), undefined);
});

test('a flush waits until a slow client has read what was sent', async (t) => {
  const { response, stream, timers } = create(t);
  response.takes = false;
  stream.add('a');
  const flushed = stream.flush(never);
  assert.ok(flushed !== undefined);
  assert.equal(await isPending(flushed), true);
  t.mock.timers.tick(STALLED_MS - 1);
  assert.equal(await isPending(flushed), true);
  response.drain();
  await flushed;
  assert.deepEqual([response.isDestroyed, response.waitingListeners, timers()], [false, 0, 0]);
});

test('a client that reads nothing for five minutes is disconnected', async (t) => {
  const { response, stream } = create(t);
  response.takes = false;
  stream.add('a');
  const refused = assert.rejects(stream.flush(never) ?? Promise.resolve(), ClientGoneError);
  t.mock.timers.tick(STALLED_MS);
  await refused;
  assert.equal(response.isDestroyed, true);
});

test('waiting for a slow client ends with the reason of the signal, and does not disconnect it', async (t) => {
  const { response, stream } = create(t);
  response.takes = false;
  const controller = new AbortController();
  stream.add('a');
  const refused = assert.rejects(
    stream.flush(controller.signal) ?? Promise.resolve(),
    /the model goes/,
  );
  controller.abort(new Error('the model goes'));
  await refused;
  assert.equal(response.isDestroyed, false);
});

test('a stream without events sends a comment at every interval', (t) => {
  const { response, stream } = create(t);
  t.mock.timers.tick(999);
  assert.deepEqual(response.written, []);
  t.mock.timers.tick(1);
  assert.deepEqual(
    [response.written, stream.started, stream.hasContent],
    [[KEEP_ALIVE], true, false],
  );
  t.mock.timers.tick(2000);
  assert.deepEqual(response.written, [KEEP_ALIVE, KEEP_ALIVE, KEEP_ALIVE]);
});

test('no comment is sent soon after an event', (t) => {
  const { response, stream } = create(t);
  t.mock.timers.tick(500);
  stream.add('a');
  void stream.flush(never);
  t.mock.timers.tick(500);
  assert.deepEqual(response.written, ['a']);
  t.mock.timers.tick(1000);
  assert.deepEqual(response.written, ['a', KEEP_ALIVE]);
});

test('no comments are sent to a client that is not reading', (t) => {
  const { response, stream } = create(t);
  stream.add('a');
  void stream.flush(never);
  response.takes = false;
  t.mock.timers.tick(10_000);
  assert.deepEqual(response.written, ['a']);
});

for (const end of ['end', 'close'] as const) {
  test(`nothing is sent after ${end}, and no timer is left`, (t) => {
    const { response, stream } = create(t);
    if (end === 'end') stream.end('last');
    else stream.close();
    const before = [...response.written];
    t.mock.timers.tick(60_000);
    assert.deepEqual(response.written, before);
  });
}

test('the end sends the added events, and the headers if they were not sent before', (t) => {
  const { response, stream } = create(t);
  stream.add('a');
  stream.end('z');
  assert.deepEqual([response.written, stream.started, response.isEnded], [['az'], true, true]);
});

test('a client that does not read the end is disconnected after five minutes', (t) => {
  const { response, stream } = create(t);
  response.takes = false;
  stream.end('z');
  t.mock.timers.tick(STALLED_MS - 1);
  assert.equal(response.isDestroyed, false);
  t.mock.timers.tick(1);
  assert.equal(response.isDestroyed, true);
});

test('a client that has read the end is not disconnected', (t) => {
  const { response, stream, timers } = create(t);
  response.takes = false;
  stream.end('z');
  assert.equal(timers(), 1);
  response.emit('close');
  assert.equal(timers(), 0);
  const fast = new SlowResponse();
  new EventStream(fast as unknown as ServerResponse, 1000).end('z');
  assert.deepEqual([fast.waitingListeners, timers()], [0, 0]);
});
