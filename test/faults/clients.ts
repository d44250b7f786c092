import { randomUUID } from 'node:crypto';
import { post, question } from '../support/chat.ts';
import { drawShape, type Shape, toDataUrl } from '../support/pictures.ts';

const SHAPES = ['circle', 'square', 'triangle', 'star', 'cross', 'heart'] satisfies Shape[];
const COLORS = ['red', 'blue', 'green', 'yellow', 'purple', 'black'];

/** A picture with the correct answer of the demo model. */
export interface KnownPicture {
  image: string;
  answer: string;
}

/** Draws one picture for every color and shape. */
export async function knownPictures(): Promise<KnownPicture[]> {
  return Promise.all(
    COLORS.flatMap((color) =>
      SHAPES.map(async (shape) => ({
        image: toDataUrl(await drawShape({ shape, color }), 'image/png'),
        answer: `A ${color} ${shape} on a white background.`,
      })),
    ),
  );
}

/** The outcome of one request: an answer, no answer (`lost`), or an error that docs/api.md lists or not. */
export type Outcome = 'right' | 'wrong' | 'lost' | 'documented' | 'undocumented';

const DOCUMENTED = new Set([
  'runtime_crashed',
  'model_not_ready',
  'model_changed',
  'queue_full',
  'queue_timeout',
  'too_many_streams',
  // The streams of the other APIs use their own, more general codes.
  'server_error',
  'api_error',
  'overloaded_error',
]);

const MAX_PROBLEMS = 20;
/** How many completed requests to remember, since a wrong answer may have shared a batch with them. */
const MAX_COMPLETED = 40;

/** A running or completed request. Times are those of `performance.now()`. */
interface TrackedRequest {
  id: string;
  label: string;
  startedAt: number;
  endedAt?: number;
}

/** Counts outcomes and records the first unexpected ones. */
export class Tally {
  readonly counts: Record<Outcome, number> = {
    right: 0,
    wrong: 0,
    lost: 0,
    documented: 0,
    undocumented: 0,
  };
  readonly problems: string[] = [];
  readonly #requests: TrackedRequest[] = [];

  /**
   * Tracks a request, so that a wrong answer can be reported with the requests that ran at the same time.
   * Call `end` when the request has completed.
   */
  track(label: string): { id: string; end: () => void } {
    const request: TrackedRequest = { id: randomUUID(), label, startedAt: performance.now() };
    const completed = this.#requests.filter(({ endedAt }) => endedAt !== undefined);
    if (completed[0] !== undefined && completed.length > MAX_COMPLETED) {
      this.#requests.splice(this.#requests.indexOf(completed[0]), 1);
    }
    this.#requests.push(request);
    const end = () => {
      request.endedAt = performance.now();
    };
    return { id: request.id, end };
  }

  /** Describes the requests that overlapped with this one, with times relative to its start. */
  describeOverlapping(id: string): string {
    const own = this.#requests.find((request) => request.id === id);
    if (own === undefined) return 'unknown';
    const sinceStart = (at: number | undefined) =>
      at === undefined ? '' : `${Math.round(at - own.startedAt)}`;
    return this.#requests
      .filter(({ endedAt = Number.POSITIVE_INFINITY }) => endedAt >= own.startedAt)
      .map((request) => {
        const times = `${sinceStart(request.startedAt)}..${sinceStart(request.endedAt)} ms`;
        return `${request.id === id ? 'this request' : request.id} ${times} ${request.label}`;
      })
      .join('; ');
  }

  add(outcome: Outcome, detail = ''): void {
    this.counts[outcome] += 1;
    const isExpected = outcome === 'right' || outcome === 'documented';
    if (isExpected || this.problems.length >= MAX_PROBLEMS) return;
    const problem = `${new Date().toISOString()} ${outcome}: ${detail}`;
    this.problems.push(problem);
    process.stderr.write(`  ${problem}\n`);
  }

  /** Adds a request that failed: with an ErrorResponse, or without a response. */
  addFailure(error: Error, label = ''): void {
    const code = error instanceof ErrorResponse ? error.code : undefined;
    const isDocumented = code !== undefined && DOCUMENTED.has(code);
    const outcome = isDocumented ? 'documented' : code === undefined ? 'lost' : 'undocumented';
    this.add(outcome, `${label} ${error.message} ${error.cause ?? ''}`.trim());
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

/** Asks about a picture and records the outcome, and for a wrong answer everything that may explain it. */
export async function ask(
  url: string,
  { image, answer }: KnownPicture,
  streamed: boolean,
  tally: Tally,
) {
  const { id, end } = tally.track(`${streamed ? 'stream' : 'complete'}: ${answer}`);
  try {
    const response = streamed ? askStreamed(url, image, id) : askComplete(url, image, id);
    const { text, ...details } = await response.finally(end);
    if (text === answer) tally.add('right');
    else {
      tally.add(
        'wrong',
        `${JSON.stringify(text)} instead of ${JSON.stringify(answer)}, request ${id}, ` +
          `${JSON.stringify(details)}, at the same time: ${tally.describeOverlapping(id)}`,
      );
    }
  } catch (error) {
    tally.addFailure(error as Error);
  }
}

interface Answer {
  text: string;
  finishReason: string;
  /** With the number of tokens from the prefix cache. */
  usage: object | undefined;
}

/** An error response of one of the APIs. Any other error means that there was no response. */
export class ErrorResponse extends Error {
  readonly code: string;

  constructor({ code, type, message }: { code?: string | null; type?: string; message: string }) {
    super(message);
    this.code = code ?? type ?? 'none';
  }
}

async function askComplete(url: string, image: string, id: string): Promise<Answer> {
  const { status, body } = await post(url, question(image), { headers: { 'x-request-id': id } });
  if (status !== 200) throw new ErrorResponse(body.error);
  const { message, finish_reason: finishReason } = body.choices[0];
  return { text: message.content, finishReason, usage: body.usage };
}

async function askStreamed(url: string, image: string, id: string): Promise<Answer> {
  const request = question(image, { stream: true, stream_options: { include_usage: true } });
  const response = await fetch(`${url}/v1/chat/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'x-request-id': id },
    body: JSON.stringify(request),
  });
  const body = await response.text();
  if (response.status !== 200) throw new ErrorResponse(JSON.parse(body).error);
  const events = body.split('\n\n').flatMap((event) => /^data: (.*)$/m.exec(event)?.[1] ?? []);
  const chunks = events.filter((data) => data !== '[DONE]').map((data) => JSON.parse(data));
  const failed = chunks.find(({ error }) => error !== undefined);
  if (failed !== undefined) throw new ErrorResponse(failed.error);
  if (events.at(-1) !== '[DONE]') throw new Error('The stream ended early.');
  const choices = chunks.flatMap((chunk) => chunk.choices[0] ?? []);
  return {
    text: choices.map(({ delta }) => delta.content ?? '').join(''),
    finishReason: choices.at(-1)?.finish_reason ?? 'none',
    usage: chunks.at(-1)?.usage,
  };
}

/** Starts clients that ask about random pictures until stopped. Every second client streams. */
export function startClients(count: number, url: () => string, known: readonly KnownPicture[]) {
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
