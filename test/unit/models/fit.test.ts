import assert from 'node:assert/strict';
import { test } from 'node:test';
import { judgeFit } from '../../../server/models/views.ts';

const machine = { memory_bytes: 10e9, tokens_per_request: 8192 };

const cases: [weights: number, request: number, requests: number, verdict: string][] = [
  [7e9, 1e9, 1, 'fits'],
  [7e9, 1e9, 2, 'tight'],
  [7e9, 1e9, 3, 'tight'],
  [7e9, 1e9, 4, 'too_large'],
  [11e9, 0, 1, 'too_large'],
];
for (const [weightsBytes, requestBytes, requests, verdict] of cases) {
  const what = `${weightsBytes / 1e9} GB of weights and ${requests} times ${requestBytes / 1e9} GB`;
  test(`${what} in 10 GB: ${verdict}`, () => {
    const fit = judgeFit({ weightsBytes, requestBytes }, machine, requests);
    assert.deepEqual(fit, {
      verdict,
      weightsBytes,
      cacheBytes: requestBytes * requests,
      requests,
      tokensPerRequest: 8192,
      memoryBytes: 10e9,
    });
  });
}
