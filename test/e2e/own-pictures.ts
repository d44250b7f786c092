import assert from 'node:assert/strict';
import { test } from 'node:test';
import { post, question, streamedText, textOf } from '../support/chat.ts';
import { drawShape, type Shape, toDataUrl } from '../support/pictures.ts';

const shapes = ['circle', 'square', 'triangle', 'star', 'cross', 'heart'] satisfies Shape[];
const colors = ['red', 'blue', 'green', 'yellow', 'purple', 'black'];

/** Different pictures, each with the demo model's correct answer. */
function pictures(count: number) {
  return Promise.all(
    Array.from({ length: count }, async (_, index) => {
      const shape = shapes[index % 6] ?? 'circle';
      const color = colors[Math.floor(index / 6) % 6] ?? 'red';
      const image = toDataUrl(await drawShape({ shape, color }), 'image/png');
      return { image, answer: `A ${color} ${shape} on a white background.` };
    }),
  );
}

/** Requests sent at the same time as another. */
const AT_ONCE = 8;

/** Tests that every answer is about its request's picture, with this many requests per test. */
export function testOwnPictures(
  url: () => string,
  { concurrent, alternating }: { concurrent: number; alternating: number },
): void {
  test(`${concurrent} concurrent requests, half of them streams, are each answered about their own picture`, async () => {
    const asked = await pictures(concurrent);
    const answers = await Promise.all(
      asked.map(async ({ image }, index) =>
        index % 2 === 0
          ? streamedText(url(), question(image))
          : textOf(await post(url(), question(image))),
      ),
    );
    assert.deepEqual(
      answers,
      asked.map(({ answer }) => answer),
    );
  });

  // A prefix cache that compares only the text answers about the previous picture
  // (waybarrios/vllm-mlx#718).
  for (const [how, ask] of [
    ['whole', async (image: string) => textOf(await post(url(), question(image)))],
    ['streamed', (image: string) => streamedText(url(), question(image))],
  ] as const) {
    test(`the same question about alternating pictures is never answered about the other one, ${how}`, async () => {
      const two = await pictures(2);
      const all = Array.from({ length: alternating / 2 }, () => two).flat();
      const expected = all.map(({ answer }) => answer);
      const alone: string[] = [];
      for (const { image } of all) alone.push(await ask(image));
      assert.deepEqual(alone, expected);
      const together: string[] = [];
      for (let from = 0; from < all.length; from += AT_ONCE) {
        const batch = all.slice(from, from + AT_ONCE);
        together.push(...(await Promise.all(batch.map(({ image }) => ask(image)))));
      }
      assert.deepEqual(together, expected);
    });
  }
}
