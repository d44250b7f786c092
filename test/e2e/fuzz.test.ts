import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { post, question, textOf } from '../support/chat.ts';
import { hostileBodies, outcomeOf } from '../support/hostile-bodies.ts';
import { drawShape, toDataUrl } from '../support/pictures.ts';
import { type RunningService, startService } from '../support/service.ts';

const RUNS = 3000;

let running: RunningService;
const redCircle = toDataUrl(await drawShape({ shape: 'circle', color: 'red' }), 'image/png');
before(async () => {
  running = await startService({ maxConcurrency: 8, allowTextOnly: true });
});
after(() => running.stop());

test(`${RUNS} generated bodies are each answered or refused with 4xx, and the server goes on`, async (t) => {
  const bodies = hostileBodies(RUNS, 2026);
  const seen = { answered: 0, refused: 0 };
  const wrong: string[] = [];
  const next = bodies.values();
  const worker = async () => {
    for (const sent of next) {
      const outcome = await outcomeOf(running.url, sent);
      if (outcome === 'answered' || outcome === 'refused') seen[outcome] += 1;
      else wrong.push(`${outcome}\n  for ${JSON.stringify(sent).slice(0, 1000)}`);
    }
  };
  await Promise.all(Array.from({ length: 8 }, worker));
  t.diagnostic(`${seen.answered} answered, ${seen.refused} refused`);
  assert.deepEqual(wrong.slice(0, 5), []);
  assert.ok(seen.answered > RUNS / 20, 'too few bodies got through to the model to mean much');
  assert.equal(
    textOf(await post(running.url, question(redCircle))),
    'A red circle on a white background.',
  );
});
