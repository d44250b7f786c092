import assert from 'node:assert/strict';
import { mock, test } from 'node:test';
import fc from 'fast-check';
import { QueueModel, type Step } from './queue-model.ts';

const pick = fc.nat({ max: 30 });
const client = fc.constantFrom('a', 'b', 'c');
const ready = fc.constantFrom('now', 'now', 'later');

/** A step picks its job by a number modulo the number of jobs, so that every step is possible. */
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 10, arbitrary: fc.record({ do: fc.constant('submit'), client, ready }) },
  { weight: 6, arbitrary: fc.record({ do: fc.constantFrom('finish', 'fail'), pick }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constantFrom('load', 'load', 'failToLoad'), pick }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('abort'), pick }) },
  { weight: 8, arbitrary: fc.record({ do: fc.constant('turn') }) },
  {
    weight: 2,
    arbitrary: fc.record({ do: fc.constant('tick'), ms: fc.integer({ min: 1, max: 600 }) }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constantFrom('pause', 'resume', 'resume') }) },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant('limit'),
      limits: fc.record(
        {
          maxConcurrency: fc.integer({ min: 1, max: 4 }),
          maxQueueSize: fc.integer({ min: 0, max: 8 }),
          timeoutMs: fc.integer({ min: 1, max: 1000 }),
          policy: fc.constantFrom('fifo', 'fair'),
        },
        { requiredKeys: [] },
      ),
    }),
  },
);
const lastStep = fc.record({ do: fc.constantFrom('drain', 'close') });

test('the queue follows its rules for any sequence of events', async (t) => {
  mock.timers.enable({ apis: ['setTimeout', 'Date'] });
  t.after(() => mock.timers.reset());
  t.mock.method(performance, 'now', () => Date.now());

  const before = fc.array(step, { maxLength: 80, size: 'max' });
  const after = fc.array(step, { maxLength: 15 });
  const runs = fc.asyncProperty(before, lastStep, after, async (early, last, late) => {
    const model = new QueueModel((ms) => mock.timers.tick(ms));
    await model.take([...early, last, ...late, { do: 'turn' }]);
    await model.takeToTheEnd();
    assert.equal(model.queue.stats.activeRequests, 0);
  });
  await fc.assert(runs, { numRuns: 2000 });
});
