import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before } from 'node:test';
import { makeZoo, SPECIMENS } from '../support/model-zoo.ts';
import { testRefusals } from './refused-models.ts';

let zoo: string;
before(async () => {
  zoo = await mkdtemp(join(tmpdir(), 'sightglass-zoo-'));
  await makeZoo(zoo);
});
after(() => rm(zoo, { recursive: true }));

testRefusals(() => zoo, Object.keys(SPECIMENS));
