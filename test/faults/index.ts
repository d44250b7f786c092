import { parseArgs } from 'node:util';
import { disconnects, mixUps } from './answers.ts';
import type { Campaign } from './campaign.ts';
import { knownPictures } from './clients.ts';
import { concurrentAnswers } from './concurrent-answers.ts';

import { brokenHttp, slowClients } from './connections.ts';
import { hangs, kills, sequences, switches } from './crashes.ts';
import { bodies, floods, grammars, heavyBodies, images } from './hostile.ts';
import { shutdown } from './shutdown.ts';
import { requestForgery } from './ssrf.ts';

// `npm run test:faults`: injects faults into the real service and prints a table of the results.
// `-- --full` runs the campaigns at full size, `-- --only kills,hangs` only runs some of them.

const CAMPAIGNS: readonly Campaign[] = [
  kills,
  hangs,
  switches,
  sequences,
  mixUps,
  concurrentAnswers,
  disconnects,
  slowClients,
  brokenHttp,
  bodies,
  heavyBodies,
  floods,
  images,
  grammars,
  requestForgery,
  shutdown,
];

const { values } = parseArgs({
  options: {
    full: { type: 'boolean', default: false },
    only: { type: 'string' },
    minutes: { type: 'string' },
  },
});
const wanted = values.only?.split(',');
const chosen = CAMPAIGNS.filter(({ name }) => wanted?.includes(name) ?? true);
if (chosen.length === 0) {
  throw new Error(
    `--only must be one or more of: ${CAMPAIGNS.map(({ name }) => name).join(', ')}.`,
  );
}
const minutes = values.minutes === undefined ? undefined : Number(values.minutes);
if (minutes !== undefined && !(minutes > 0)) throw new Error('--minutes must be greater than 0.');
const known = await knownPictures();
let [passed, failed] = [0, 0];
process.stdout.write('| campaign | figures | |\n| --- | --- | --- |\n');
for (const { name, run } of chosen) {
  const startedAt = performance.now();
  const { figures, problems } = await run({ full: values.full, known, minutes }).catch(
    (error: Error) => ({
      figures: 'did not complete',
      problems: [error.stack ?? error.message],
    }),
  );
  const seconds = ((performance.now() - startedAt) / 1000).toFixed(0);
  const verdict = problems.length === 0 ? 'passed' : 'failed';

  if (problems.length === 0) passed += 1;
  else failed += 1;
  process.stdout.write(`| ${name} | ${figures} | ${verdict} |\n`);
  process.stderr.write(`${name}: ${verdict}, ${seconds} s\n`);
  for (const problem of problems) process.stderr.write(`  ${problem.slice(0, 500)}\n`);
}
process.stdout.write(`\n${passed} passed, ${failed} failed\n`);
process.exitCode = failed === 0 ? 0 : 1;
