import { randomUUID } from 'node:crypto';
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

/** The outcome of one request. An error is documented if docs/api.md has its code. */
export type Outcome = 'right' | 'wrong' | 'lost' | 'documented' | 'undocumented';

const DOCUMENTED = new Set([
  'runtime_crashed',
  'model_not_ready',
  'model_changed',
  'queue_full',
  'queue_timeout',
  'too_many_streams',
  // Of the other APIs' streams, which have no codes of their own for these.
  'server_error',
  'api_error',
  'overloaded_error',
]);

const MAX_PROBLEMS = 20;
/** Number of ended requests that a wrong answer is reported with: those that it can have shared a batch with. */
const KEPT_ENDED = 40;

/** A request under way, or one that has ended. Times are those of `performance.now()`. */
interface Noted {
  id: string;
  what: string;
  startedAt: number;
  endedAt?: number;
}

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
  readonly #noted: Noted[] = [];

  /** Notes a request, for the report of a wrong answer beside it. Call `end` once it has ended. */
  begin(what: string): { id: string; end: () => void } {
    const noted: Noted = { id: randomUUID(), what, startedAt: performance.now() };
    const ended = this.#noted.filter(({ endedAt }) => endedAt !== undefined);
    if (ended[0] !== undefined && ended.length > KEPT_ENDED) {
      this.#noted.splice(this.#noted.indexOf(ended[0]), 1);
    }
    this.#noted.push(noted);
    const end = () => {
      noted.endedAt = performance.now();
    };
    return { id: noted.id, end };
  }

  /** The requests that overlapped with this one, and when they did, from its own start. */
  describeOverlapping(id: string): string {
    const own = this.#noted.find((noted) => noted.id === id);
    if (own === undefined) return 'unknown';
    const sinceStart = (at: number | undefined) =>
      at === undefined ? '' : `${Math.round(at - own.startedAt)}`;
    return this.#noted
      .filter(({ endedAt = Number.POSITIVE_INFINITY }) => endedAt >= own.startedAt)
      .map((noted) => {
        const times = `${sinceStart(noted.startedAt)}..${sinceStart(noted.endedAt)} ms`;
        return `${noted.id === id ? 'itself' : noted.id} ${times} ${noted.what}`;
      })
      .join('; ');
  }

  add(outcome: Outcome, detail = ''): void {
    this.counts[outcome] += 1;
    const isFine = outcome === 'right' || outcome === 'documented';
    if (isFine || this.problems.length >= MAX_PROBLEMS) return;
    const problem = `${new Date().toISOString()} ${outcome}: ${detail}`;
    this.problems.push(problem);
    process.stderr.write(`  ${problem}\n`);
  }

  /** Adds a request that ended with an error: an ErrorAnswer, or no answer at all. */
  addFailure(error: Error, what = ''): void {
    const code = error instanceof ErrorAnswer ? error.code : undefined;
    const isDocumented = code !== undefined && DOCUMENTED.has(code);
    const outcome = isDocumented ? 'documented' : code === undefined ? 'lost' : 'undocumented';
    this.add(outcome, `${what} ${error.message} ${error.cause ?? ''}`.trim());
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

/** Asks about a picture and records the outcome; of a wrong answer, all that may explain it. */
export async function ask(url: string, { image, answer }: Known, streamed: boolean, tally: Tally) {
  const { id, end } = tally.begin(`${streamed ? 'stream' : 'whole'}: ${answer}`);
  try {
    const asked = streamed ? askStreamed(url, image, id) : askWhole(url, image, id);
    const got = await asked.finally(end);
    if (got.text === answer) tally.add('right');
    else {
      const { text, ...about } = got;
      tally.add(
        'wrong',
        `${JSON.stringify(text)} for ${JSON.stringify(answer)}, request ${id}, ` +
          `${JSON.stringify(about)}, beside: ${tally.describeOverlapping(id)}`,
      );
    }
  } catch (error) {
    tally.addFailure(error as Error);
  }
}

interface Got {
  text: string;
  finishReason: string;
  /** Includes the number of tokens from the prefix cache. */
  usage: object | undefined;
}

/** An error in a form of the APIs. Any other error means that there was no answer. */
export class ErrorAnswer extends Error {
  readonly code: string;

  constructor({ code, type, message }: { code?: string | null; type?: string; message: string }) {
    super(message);
    this.code = code ?? type ?? 'none';
  }
}

async function askWhole(url: string, image: string, id: string): Promise<Got> {
  const { status, body } = await post(url, question(image), { headers: { 'x-request-id': id } });
  if (status !== 200) throw new ErrorAnswer(body.error);
  const { message, finish_reason: finishReason } = body.choices[0];
  return { text: message.content, finishReason, usage: body.usage };
}

async function askStreamed(url: string, image: string, id: string): Promise<Got> {
  const asked = question(image, { stream: true, stream_options: { include_usage: true } });
  const response = await fetch(`${url}/v1/chat/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'x-request-id': id },
    body: JSON.stringify(asked),
  });
  const body = await response.text();
  if (response.status !== 200) throw new ErrorAnswer(JSON.parse(body).error);
  const events = body.split('\n\n').flatMap((event) => /^data: (.*)$/m.exec(event)?.[1] ?? []);
  const chunks = events.filter((data) => data !== '[DONE]').map((data) => JSON.parse(data));
  const failed = chunks.find(({ error }) => error !== undefined);
  if (failed !== undefined) throw new ErrorAnswer(failed.error);
  if (events.at(-1) !== '[DONE]') throw new Error('The stream ended early.');
  const choices = chunks.flatMap((chunk) => chunk.choices[0] ?? []);
  return {
    text: choices.map(({ delta }) => delta.content ?? '').join(''),
    finishReason: choices.at(-1)?.finish_reason ?? 'none',
    usage: chunks.at(-1)?.usage,
  };
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
