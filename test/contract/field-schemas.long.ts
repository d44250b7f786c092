import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { problems, schemas, ways } from '../support/schemas/field-schemas.ts';
import { type RunningService, startService } from '../support/service.ts';

let running: RunningService;
before(async () => {
  running = await startService({ maxConcurrency: 4 });
});
after(() => running.stop());

for (const [what, ask] of Object.entries(ways)) {
  test(`${what} each of the schemas matches it and completes`, async () => {
    assert.deepEqual(await problems(running.url, ask, schemas), []);
  });
}
