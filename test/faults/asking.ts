import { post, question } from '../support/chat.ts';
import { drawShape, type Shape, toDataUrl } from '../support/pictures.ts';

const SHAPES = ['circle', 'square', 'triangle', 'star', 'cross', 'heart'] satisfies Shape[];
const COLORS = ['red', 'blue', 'green', 'yellow', 'purple', 'black'];

/** A picture and the demo model's correct answer about it. */
export interface Known {
  image: string;
  answer: string;
}

/** Pictures that are all different. */
export async function knownPictures(): Promise<Known[]> {
  return Promise.all(
    COLORS.flatMap((color) =>
      SHAPES.map(async (shape) => ({
        image: toDataUrl(await drawShape({ shape, color }), 'image/png'),
        answer: `A ${color} ${shape} on a white background.`,
      })),
    ),
  );
}

/** The outcome of one request. An error is documented if README's table has its code. */
export type Outcome = 'right' | 'wrong' | 'lost' | 'documented' | 'undocumented';

const DOCUMENTED = new Set([
  'runtime_crashed',
  'model_not_ready',
  'model_changed',
  'queue_full',
  'queue_timeout',
  'too_many_streams',
]);

const MAX_PROBLEMS = 20;

/** Counts outcomes and keeps the first few unexpected ones. */
export class Tally {
  readonly counts: Record<Outcome, number> = {
    right: 0,
    wrong: 0,
    lost: 0,
    documented: 0,
    undocumented: 0,
  };
  readonly problems: string[] = [];

  add(outcome: Outcome, detail = ''): void {
    this.counts[outcome] += 1;
    const isFine = outcome === 'right' || outcome === 'documented';
    if (isFine || this.problems.length >= MAX_PROBLEMS) return;
    const problem = `${new Date().toISOString()} ${outcome}: ${detail}`;
    this.problems.push(problem);
    process.stderr.write(`  ${problem}\n`);
  }

  merge({ counts, problems }: Tally): void {
    for (const [outcome, count] of Object.entries(counts)) {
      this.counts[outcome as Outcome] += count;
    }
    this.problems.push(...problems);
  }

  toString(): string {
    const { right, wrong, lost, documented, undocumented } = this.counts;
    return (
      `${right} right, ${wrong} wrong, ${lost} lost, ${documented} documented errors` +
      (undocumented === 0 ? '' : `, ${undocumented} undocumented errors`)
    );
  }
}

/** Asks about a picture and records the outcome. */
export async function ask(url: string, { image, answer }: Known, streamed: boolean, tally: Tally) {
  try {
    const text = await (streamed ? askStreamed(url, image) : askWhole(url, image));
    tally.add(text === answer ? 'right' : 'wrong', `${text} for ${answer}`);
  } catch (error) {
    const code = error instanceof ErrorAnswer ? error.code : undefined;
    const isDocumented = code !== undefined && DOCUMENTED.has(code);
    const outcome = isDocumented ? 'documented' : code === undefined ? 'lost' : 'undocumented';
    tally.add(outcome, `${(error as Error).message} ${(error as Error).cause ?? ''}`);
  }
}

/** An error in OpenAI's form. Any other error means that there was no answer. */
class ErrorAnswer extends Error {
  readonly code: string;

  constructor({ code, message }: { code: string | null; message: string }) {
    super(message);
    this.code = code ?? 'none';
  }
}

async function askWhole(url: string, image: string): Promise<string> {
  const { status, body } = await post(url, question(image));
  if (status !== 200) throw new ErrorAnswer(body.error);
  return body.choices[0].message.content;
}

async function askStreamed(url: string, image: string): Promise<string> {
  const response = await fetch(`${url}/v1/chat/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(question(image, { stream: true })),
  });
  const body = await response.text();
  if (response.status !== 200) throw new ErrorAnswer(JSON.parse(body).error);
  const events = body.split('\n\n').flatMap((event) => /^data: (.*)$/m.exec(event)?.[1] ?? []);
  const chunks = events.filter((data) => data !== '[DONE]').map((data) => JSON.parse(data));
  const failed = chunks.find(({ error }) => error !== undefined);
  if (failed !== undefined) throw new ErrorAnswer(failed.error);
  if (events.at(-1) !== '[DONE]') throw new Error('The stream ended early.');
  return chunks.map(({ choices }) => choices[0]?.delta.content ?? '').join('');
}

/** Starts clients that ask about random pictures, every second one with streams, until stopped. */
export function startClients(count: number, url: () => string, known: readonly Known[]) {
  const tally = new Tally();
  let isStopping = false;
  const client = async (number: number) => {
    while (!isStopping) {
      const picture = known[Math.floor(Math.random() * known.length)];
      if (picture === undefined) throw new TypeError('There are no pictures.');
      await ask(url(), picture, number % 2 === 1, tally);
    }
  };
  const clients = Promise.all(Array.from({ length: count }, (_, number) => client(number)));
  const stop = async () => {
    isStopping = true;
    await clients;
    return tally;
  };
  return { tally, stop };
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}
