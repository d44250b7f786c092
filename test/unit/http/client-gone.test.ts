import assert from 'node:assert/strict';
import { EventEmitter } from 'node:events';
import type { ServerResponse } from 'node:http';
import { test } from 'node:test';
import { abortWhenGone, ClientGoneError } from '../../../server/http/client-gone.ts';

/** A response as it is, with its client gone or answered or neither. */
function createResponse({ closed = false, writableFinished = false } = {}) {
  const response = Object.assign(new EventEmitter(), { closed, writableFinished });
  const controller = new AbortController();
  abortWhenGone(response as unknown as ServerResponse, controller);
  return { response, signal: controller.signal };
}

test('a client that had gone before its request was looked at is gone', () => {
  const { signal } = createResponse({ closed: true });
  assert.ok(signal.reason instanceof ClientGoneError);
});

test('a client that closes its connection before it was answered is gone', () => {
  const { response, signal } = createResponse();
  assert.equal(signal.aborted, false);
  response.emit('close');
  assert.ok(signal.reason instanceof ClientGoneError);
});

test('a client that was answered has not gone, whenever its connection closes', () => {
  const { signal } = createResponse({ closed: true, writableFinished: true });
  const later = createResponse();
  later.response.writableFinished = true;
  later.response.emit('close');
  assert.deepEqual([signal.aborted, later.signal.aborted], [false, false]);
});
