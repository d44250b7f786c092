import { test } from 'node:test';
import { checkSupervisorSequences } from '../../support/supervisor-sequences.ts';

/** `npm run test:faults` takes more. */
const RUNS = 400;

test('whatever happens in whatever order, every rule of the supervisor holds', async (t) => {
  const steps = await checkSupervisorSequences({ runs: RUNS });
  t.diagnostic(`${RUNS} sequences, ${steps} steps`);
});
