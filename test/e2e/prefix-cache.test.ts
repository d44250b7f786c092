import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Client } from 'undici';
import { post, userMessage } from '../support/chat.ts';
import { drawShape, type Shape, toDataUrl } from '../support/pictures.ts';
import { type RunningService, startService } from '../support/service.ts';

let running: RunningService;
before(async () => {
  running = await startService();
});
after(() => running.stop());

/** Empties mlx_vlm's prefix cache (`POST /v1/cache/reset` of its `server/app.py`). */
async function emptyCache(): Promise<void> {
  const { socketPath } = await running.runtime();
  const client = new Client('http://runtime', { socketPath });
  const { body } = await client.request({ method: 'POST', path: '/v1/cache/reset' });
  await body.dump();
  await client.close();
}

async function ask(messages: object[]) {
  const { body } = await post(running.url, {
    messages,
    max_tokens: 40,
    seed: 1,
    temperature: 1,
    logprobs: true,
  });
  const { message, logprobs } = body.choices[0];
  return {
    answer: message.content,
    logprobs: logprobs.content.map(({ logprob }: { logprob: number }) => logprob),
    cachedTokens: body.usage.prompt_tokens_details.cached_tokens,
  };
}

const cases: [Shape, string, number, number, string][] = [
  ['circle', 'red', 128, 128, 'What color is it?'],
  ['star', 'blue', 256, 128, 'Describe the image in detail.'],
  ['heart', 'green', 128, 256, 'Why so? Explain, dear zebra.'],
  ['cross', 'black', 200, 150, 'zxcv blah 77 &?'],
];
for (const [shape, color, width, height, question] of cases) {
  test(`a follow-up about a ${color} ${shape} (${width}x${height}) is answered from the cache the same as without it`, async () => {
    const image = toDataUrl(await drawShape({ shape, color, width, height }), 'image/png');
    const first = [userMessage('What is in this image?', image)];
    const next = [
      ...first,
      { role: 'assistant', content: 'A shape.' },
      { role: 'user', content: question },
    ];
    await emptyCache();
    const { cachedTokens, ...cold } = await ask(next);
    assert.equal(cachedTokens, 0);
    await emptyCache();
    await ask(first);
    const { cachedTokens: reused, ...warm } = await ask(next);
    assert.ok(reused > 20, `${reused} tokens came from the cache`);
    assert.equal(warm.answer, cold.answer);
    assert.ok(
      warm.logprobs.every(
        (value: number, at: number) => Math.abs(value - cold.logprobs[at]) < 0.02,
      ),
      `${warm.logprobs} against ${cold.logprobs}`,
    );
  });
}
