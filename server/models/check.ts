import { randomUUID } from 'node:crypto';
import pMap from 'p-map';
import sharp from 'sharp';
import type { RuntimeConnection } from '../runtime/connection.ts';
import type { CheckResult } from './views.ts';

/** Concurrent questions in each round. The answers of the first round are the reference. */
const STREAMS = [1, 2, 4] as const;
const QUESTION = 'What is in this image?';
const MAX_TOKENS = 64;
/** The gain in speed that makes another stream worth its memory. */
const WORTH_IT = 1.1;

export interface CheckOptions {
  /** The name to show. */
  model: string;
  signal: AbortSignal;
  onProgress: (done: number, of: number) => void;
}

interface Said {
  text: string;
  tokens: number;
}

/**
 * Asks a ready model about the same images, first one at a time and then concurrently, at temperature 0:
 * on Apple GPUs, concurrent generation has corrupted answers (Blaizzy/mlx-vlm#1668).
 * @throws RuntimeDiedError, RuntimeRefusedError, GenerationFailedError, or the signal's reason
 */
export async function checkModel(
  connection: RuntimeConnection,
  { model, signal, onProgress }: CheckOptions,
): Promise<CheckResult> {
  const pictures = await drawPictures();
  const of = 1 + STREAMS.length * pictures.length;
  let done = 0;
  const ask = async (picture: string): Promise<Said> => {
    const said = await askOnce(connection, picture, signal);
    onProgress(++done, of);
    return said;
  };
  onProgress(0, of);
  await ask(pictures[0] ?? ''); // kernels are compiled on first use
  const rounds = [];
  for (const streams of STREAMS) {
    const startedAt = performance.now();
    const answers = await pMap(pictures, (picture) => ask(picture), { concurrency: streams });
    const seconds = (performance.now() - startedAt) / 1000;
    const tokens = answers.reduce((sum, answer) => sum + answer.tokens, 0);
    rounds.push({ streams, answers, tokensPerSecond: tokens / seconds });
  }
  const { peak_memory_bytes } = await connection.progress(signal);
  return { model, ...compare(rounds), questions: pictures.length, memoryBytes: peak_memory_bytes };
}

export interface Round {
  streams: number;
  answers: readonly { text: string }[];
  tokensPerSecond: number;
}

/** Finds the answers that changed, and the most streams that are both correct and worthwhile. */
export function compare(
  rounds: readonly Round[],
): Pick<CheckResult, 'differing' | 'speeds' | 'recommended'> {
  const [alone] = rounds;
  const differing = rounds.flatMap(({ streams, answers }) =>
    answers.flatMap(({ text }, index) => {
      const expected = alone?.answers[index]?.text ?? '';
      return text === expected ? [] : [{ streams, alone: expected, together: text }];
    }),
  );
  let recommended = 1;
  let speed = alone?.tokensPerSecond ?? 0;
  for (const { streams, tokensPerSecond } of rounds.slice(1)) {
    if (differing.some((each) => each.streams <= streams)) break;
    if (tokensPerSecond < speed * WORTH_IT) break;
    [recommended, speed] = [streams, tokensPerSecond];
  }
  const speeds = rounds.map(({ streams, tokensPerSecond }) => ({ streams, tokensPerSecond }));
  return { differing, speeds, recommended };
}

/** Avoids the prefix cache, so that each round does the same work. */
async function askOnce(
  connection: RuntimeConnection,
  picture: string,
  signal: AbortSignal,
): Promise<Said> {
  const id = `check-${randomUUID()}`;
  const body = {
    model: connection.model.model,
    stream: true as const,
    stream_options: { include_usage: true },
    context_management: [],
    temperature: 0,
    seed: 1,
    max_tokens: MAX_TOKENS,
    messages: [
      {
        role: 'user',
        content: [
          { type: 'text', text: QUESTION },
          { type: 'image_url', image_url: { url: picture } },
        ],
      },
    ],
  };
  const said = { text: '', tokens: 0 };
  for await (const chunks of connection.chat(body, { id, signal, cacheSalt: id })) {
    for (const { choices, usage } of chunks) {
      const { content, reasoning } = choices[0]?.delta ?? {};
      said.text += reasoning ?? content ?? '';
      said.tokens = usage?.completion_tokens ?? said.tokens;
    }
  }
  return said;
}

const SIZE = 320;
const SHAPES: readonly string[] = [
  '<circle cx="160" cy="160" r="100" fill="red"/>',
  '<rect x="70" y="70" width="180" height="180" fill="blue"/>',
  '<polygon points="160,50 270,260 50,260" fill="green"/>',
  '<circle cx="90" cy="160" r="55" fill="orange"/><circle cx="230" cy="160" r="55" fill="orange"/>',
  '<rect x="40" y="40" width="90" height="90" fill="purple"/><circle cx="220" cy="220" r="60" fill="black"/>',
  '<ellipse cx="160" cy="160" rx="130" ry="60" fill="gray"/>',
  '<text x="160" y="200" font-size="120" text-anchor="middle" font-family="sans-serif">42</text>',
  '<polygon points="160,40 195,130 290,130 212,185 242,280 160,222 78,280 108,185 30,130 125,130" fill="gold"/>',
];

/** Eight simple, distinct images as data URLs. */
function drawPictures(): Promise<string[]> {
  return Promise.all(
    SHAPES.map(async (shape) => {
      const svg = `<svg xmlns="http://www.w3.org/2000/svg" width="${SIZE}" height="${SIZE}"><rect width="100%" height="100%" fill="white"/>${shape}</svg>`;
      const png = await sharp(Buffer.from(svg)).png().toBuffer();
      return `data:image/png;base64,${png.toString('base64')}`;
    }),
  );
}
