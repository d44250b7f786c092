import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RequestCancelledError } from '../../../server/activity.ts';
import { InvalidRequestError } from '../../../server/errors.ts';
import { retryAfterSeconds, toApiError } from '../../../server/http/errors.ts';
import {
  QueueClosedError,
  QueueFullError,
  QueueTimeoutError,
} from '../../../server/queue/errors.ts';
import type { RequestQueue } from '../../../server/queue/request-queue.ts';
import {
  RuntimeDiedError,
  RuntimeDrainedError,
  RuntimeFailedError,
  RuntimeStoppedError,
  RuntimeWaitError,
} from '../../../server/runtime/errors.ts';

const queueOf = (waitMs: number | undefined) =>
  ({ estimatedWaitMs: () => waitMs }) as unknown as RequestQueue;
const failure = { reason: 'crash_loop', message: 'It crashed.', remedy: 'Restart it.' };
const noRetry = { 'x-should-retry': 'false' };

const table: [string, Error, number, string, string | null, object, RegExp][] = [
  [
    'a full queue',
    new QueueFullError(3),
    429,
    'rate_limit_error',
    'queue_full',
    { 'retry-after': '3' },
    /capacity/,
  ],
  [
    'a deadline',
    new QueueTimeoutError(5000, 9),
    504,
    'timeout_error',
    'queue_timeout',
    noRetry,
    /5 s/,
  ],
  [
    'a queue that is closed',
    new QueueClosedError(),
    503,
    'server_error',
    'model_not_ready',
    {},
    /shutting down/,
  ],
  [
    'a cancelled request',
    new RequestCancelledError(),
    503,
    'server_error',
    'request_cancelled',
    noRetry,
    /cancelled/,
  ],
  [
    'a runtime that failed',
    new RuntimeFailedError(failure),
    503,
    'server_error',
    'model_not_ready',
    {},
    /^It crashed. Restart it.$/,
  ],
  [
    'a runtime that was stopped',
    new RuntimeStoppedError(),
    503,
    'server_error',
    'model_not_ready',
    {},
    /stopped/,
  ],
  [
    'a runtime that is not ready in time',
    new RuntimeWaitError(9000),
    503,
    'server_error',
    'model_not_ready',
    {},
    /9 s/,
  ],
  [
    'a model that was changed',
    new RuntimeDrainedError(7000),
    503,
    'server_error',
    'model_changed',
    {},
    /7 s/,
  ],
  [
    'a runtime that died',
    new RuntimeDiedError(),
    502,
    'server_error',
    'runtime_crashed',
    noRetry,
    /crashed while/,
  ],
  ['anything else', new TypeError('secret'), 500, 'server_error', null, {}, /^internal error$/],
];

for (const [what, error, status, type, code, headers, message] of table) {
  test(`${what} is reported as ${status} ${code ?? ''}`, () => {
    const apiError = toApiError(error, queueOf(2001));
    assert.deepEqual(
      [apiError.status, apiError.type, apiError.code, apiError.headers],
      [status, type, code, headers],
    );
    assert.match(apiError.message, message);
  });
}

test('an ApiError is reported unchanged', () => {
  const error = new InvalidRequestError('No.');
  assert.equal(toApiError(error, queueOf(undefined)), error);
});

test('Retry-After is the wait in whole seconds, from 1 to the 60 that SDKs accept', () => {
  const seconds = [undefined, 0, 1, 1000, 1001, 60_000, 3_600_000].map(retryAfterSeconds);
  assert.deepEqual(seconds, [1, 1, 1, 1, 2, 60, 60]);
});
