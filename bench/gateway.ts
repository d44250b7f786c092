import { execa } from 'execa';
import { Agent, request } from 'undici';
import { createRuntimeCommand } from '../server/runtime/process.ts';
import { userMessage } from '../test/support/chat.ts';
import { readUntil } from '../test/support/output.ts';
import { drawShape, type Shape, toDataUrl } from '../test/support/pictures.ts';
import { demoModel, resources, startService } from '../test/support/service.ts';
import { median, print } from './report.ts';

const ROUNDS = 7;
const TOKENS = 200;
const agent = new Agent({ connections: null, headersTimeout: 0, bodyTimeout: 0 });

interface Sample {
  firstTokenMs: number;
  tokensPerSecond: number;
}

/** Starts mlx_vlm's own server as documented, with the prefix cache enabled, as in ours. */
async function startUpstream() {
  const { python } = createRuntimeCommand(resources);
  const port = 20_000 + (process.pid % 10_000);
  const args = ['-m', 'mlx_vlm.server', '--model', demoModel, '--host', '127.0.0.1'];
  const server = execa(python, [...args, '--port', `${port}`], {
    env: { APC_ENABLED: '1', APC_DISK_ENABLED: '0', HF_HUB_OFFLINE: '1' },
    reject: false,
    all: true,
  });
  await readUntil(server.all, /Uvicorn running/);
  return { url: `http://127.0.0.1:${port}`, stop: () => server.kill() };
}

let drawn = 0;
/** Draws a picture that has not been sent before, so that no cache has it. */
async function newPicture(): Promise<string> {
  const shapes: Shape[] = ['circle', 'square', 'triangle', 'star', 'cross', 'heart'];
  drawn += 1;
  const size = 128 + (drawn % 128);
  const shape = shapes[drawn % shapes.length] ?? 'circle';
  return toDataUrl(await drawShape({ shape, color: 'red', width: size, height: 128 }), 'image/png');
}

/** A conversation about a picture whose last question has a long answer. */
function conversation(image: string) {
  return [
    userMessage('What is in this image?', image),
    { role: 'assistant', content: 'A shape.' },
    { role: 'user', content: 'Count to one hundred.' },
  ];
}

async function ask(
  url: string,
  messages: object[],
  maxTokens: number,
): Promise<Sample & { tokens: number }> {
  const startedAt = performance.now();
  const { body } = await request(`${url}/v1/chat/completions`, {
    dispatcher: agent,
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({
      model: demoModel,
      messages,
      stream: true,
      stream_options: { include_usage: true },
      max_tokens: maxTokens,
      temperature: 0,
    }),
  });
  let firstTokenMs = 0;
  let tail = '';
  for await (const bytes of body) {
    if (firstTokenMs === 0) firstTokenMs = performance.now() - startedAt;
    tail = (tail + bytes).slice(-2000);
  }
  const tokens = Number(/"completion_tokens":(\d+)/.exec(tail)?.[1] ?? 0);
  const seconds = (performance.now() - startedAt) / 1000;
  return { firstTokenMs, tokens, tokensPerSecond: tokens / seconds };
}

async function round(url: string, streams: number): Promise<Sample> {
  const pictures = await Promise.all(Array.from({ length: streams }, newPicture));
  const startedAt = performance.now();
  const samples = await Promise.all(
    pictures.map((picture) => ask(url, conversation(picture), TOKENS)),
  );
  const seconds = (performance.now() - startedAt) / 1000;
  const tokens = samples.reduce((sum, sample) => sum + sample.tokens, 0);
  return {
    firstTokenMs: median(samples.map((sample) => sample.firstTokenMs)),
    tokensPerSecond: tokens / seconds,
  };
}

/** Measures the time to the first token and tokens/s of mlx_vlm's own server and of ours. */
export async function benchGateway(): Promise<void> {
  const upstream = await startUpstream();
  const gateway = await startService();
  try {
    for (const url of [upstream.url, gateway.url]) await round(url, 4); // warm up
    print('streams', 'first token ms (mlx_vlm, ours, added)', 'tokens/s (mlx_vlm, ours, ratio)');
    for (const streams of [1, 4, 16]) {
      const pairs: [Sample, Sample][] = [];
      for (let count = 0; count < ROUNDS; count += 1) {
        pairs.push([await round(upstream.url, streams), await round(gateway.url, streams)]);
      }
      const of = (side: 0 | 1, key: keyof Sample) => median(pairs.map((pair) => pair[side][key]));
      const added = median(pairs.map(([a, b]) => b.firstTokenMs - a.firstTokenMs));
      const ratio = median(pairs.map(([a, b]) => b.tokensPerSecond / a.tokensPerSecond));
      print(
        `${streams}`,
        `${of(0, 'firstTokenMs').toFixed(1)}, ${of(1, 'firstTokenMs').toFixed(1)}, ${added.toFixed(1)}`,
        `${of(0, 'tokensPerSecond').toFixed(0)}, ${of(1, 'tokensPerSecond').toFixed(0)}, ${ratio.toFixed(3)}`,
      );
    }
    await benchFollowUp(gateway.url);
  } finally {
    upstream.stop();
    await gateway.stop();
  }
}

/** About as many tokens as a picture takes in a real model; in the demo model it takes only 16. */
const INSTRUCTIONS = 'the picture has a shape and a color on a plain background '.repeat(40);

/** Compares the time to the first token of a follow-up question with that of the first question. */
async function benchFollowUp(url: string): Promise<void> {
  const pairs: [number, number][] = [];
  for (let count = 0; count < 15; count += 1) {
    const picture = await newPicture();
    const first = [
      { role: 'system', content: INSTRUCTIONS },
      userMessage('Describe the image in detail.', picture),
    ];
    const { firstTokenMs } = await ask(url, first, 40);
    const second = [
      ...first,
      { role: 'assistant', content: 'There is a shape in the middle of the picture.' },
      { role: 'user', content: 'What color is it?' },
    ];
    pairs.push([firstTokenMs, (await ask(url, second, 4)).firstTokenMs]);
  }
  print(
    'follow-up on the same picture',
    `first turn ${median(pairs.map(([first]) => first)).toFixed(1)} ms to the first token`,
    `next turn ${median(pairs.map(([, next]) => next)).toFixed(1)} ms`,
    `ratio ${median(pairs.map(([first, next]) => next / first)).toFixed(2)}`,
  );
}
