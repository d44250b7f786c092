import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { post, question, streamedText, textOf } from '../support/chat.ts';
import { drawShape, type Shape, toDataUrl } from '../support/pictures.ts';
import { type RunningService, runtimeMetrics, startService } from '../support/service.ts';

let running: RunningService;
before(async () => {
  running = await startService({ maxConcurrency: 8 });
});
after(() => running.stop());

const shapes = ['circle', 'square', 'triangle', 'star', 'cross', 'heart'] satisfies Shape[];
const colors = ['red', 'blue', 'green', 'yellow', 'purple', 'black'];

/** Pictures that all differ, each with the demo model's right answer. */
async function pictures(count: number) {
  return Promise.all(
    Array.from({ length: count }, async (_, index) => {
      const shape = shapes[index % 6] ?? 'circle';
      const color = colors[Math.floor(index / 6) % 6] ?? 'red';
      const image = toDataUrl(await drawShape({ shape, color }), 'image/png');
      return {
        image,
        answer: `${color === 'orange' ? 'An' : 'A'} ${color} ${shape} on a white background.`,
      };
    }),
  );
}

const upperFirst = (text: string) => text.charAt(0).toUpperCase() + text.slice(1);

test('32 concurrent requests, half of them streams, are each answered about their own picture', async () => {
  const asked = await pictures(32);
  const answers = await Promise.all(
    asked.map(async ({ image }, index) =>
      index % 2 === 0
        ? streamedText(running.url, question(image))
        : textOf(await post(running.url, question(image))),
    ),
  );
  assert.deepEqual(
    answers,
    asked.map(({ answer }) => upperFirst(answer)),
  );
});

// A prefix cache that looks at the text alone answers about the previous picture
// (waybarrios/vllm-mlx#718).
for (const [how, ask] of [
  ['whole', async (image: string) => textOf(await post(running.url, question(image)))],
  ['streamed', (image: string) => streamedText(running.url, question(image))],
] as const) {
  test(`the same question about alternating pictures is never answered about another one, ${how}`, async () => {
    const [first, second] = await pictures(2);
    if (first === undefined || second === undefined) throw new TypeError('two pictures');
    const alternating = Array.from({ length: 100 }, (_, index) => (index % 2 ? second : first));
    const expected = alternating.map(({ answer }) => upperFirst(answer));
    const alone: string[] = [];
    for (const { image } of alternating) alone.push(await ask(image));
    assert.deepEqual(alone, expected);
    const together: string[] = [];
    for (let from = 0; from < 100; from += 8) {
      const batch = alternating.slice(from, from + 8);
      together.push(...(await Promise.all(batch.map(({ image }) => ask(image)))));
    }
    assert.deepEqual(together, expected);
  });
}

test('the prefix cache is on', async () => {
  const metrics = (await runtimeMetrics(await running.runtime())) as {
    server: { apc: { enabled: boolean } };
  };
  assert.equal(metrics.server.apc.enabled, true);
});
