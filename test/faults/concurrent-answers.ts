import { setTimeout } from 'node:timers/promises';
import { endless } from '../support/chat.ts';
import type { Campaign } from './campaign.ts';
import { Tally } from './clients.ts';
import { allQuestions, askQuestion, type Question } from './questions.ts';
import { ServiceProcess } from './service-process.ts';

/** Values of `--max-concurrency`, tested for the same time each. */
const CONCURRENCIES = [4, 8];
const SHORT_MINUTES = 1;
const FULL_MINUTES = 14;
/** Rare enough that the service does not give up, as it would after several crashes in five minutes. */
const KILL_EVERY_MS = 90_000;
const ASKING = 8;
const DISCONNECTING = 3;
/** How many questions are in use at a time. Most are repeated, since the prefix cache has eight entries. */
const RECENT = 10;
/** The share of new questions that may be long. */
const ANY_LENGTH_SHARE = 0.1;

/**
 * Asks questions of every kind, first one at a time and then concurrently, while clients disconnect and the
 * runtime is killed. Each greedy answer must be the same both times.
 */
export const concurrentAnswers: Campaign = {
  name: 'concurrent answers',
  run: async ({ full, minutes = full ? FULL_MINUTES : SHORT_MINUTES }) => {
    const questions = await allQuestions();
    const tally = new Tally();
    let [disconnected, killed] = [0, 0];
    let alone: Question[] | undefined;
    for (const concurrency of CONCURRENCIES) {
      const service = await ServiceProcess.start([
        '--allow-text-only',
        ...['--max-concurrency', `${concurrency}`, '--queue-size', '1000'],
      ]);
      const url = () => service.url;
      alone ??= await answersAlone(url(), questions, tally);
      const known = alone;
      const endsAt = performance.now() + (minutes * 60_000) / CONCURRENCIES.length;
      const isOver = () => performance.now() > endsAt;
      const short = known.filter(({ label }) => !label.startsWith('long'));
      const recent = short.slice(0, RECENT);
      const asking = async (client: number) => {
        while (!isOver()) {
          const at = Math.floor(Math.random() * recent.length);
          if (Math.random() < 0.4)
            recent[at] = oneOf(Math.random() < ANY_LENGTH_SHARE ? known : short);
          const asked = recent[at] ?? oneOf(short);
          await askQuestion(url(), asked, client % 2 === 0, tally);
        }
      };
      const disconnecting = async () => {
        while (!isOver()) {
          await disconnect(url(), oneOf(Math.random() < ANY_LENGTH_SHARE ? known : short), tally);
          disconnected += 1;
        }
      };
      const killing = async () => {
        while (performance.now() + KILL_EVERY_MS < endsAt) {
          await setTimeout(KILL_EVERY_MS);
          const ready = service.logged('runtime ready');
          process.kill(service.runtimePid, 'SIGKILL');
          await ready;
          killed += 1;
        }
      };
      await Promise.all([
        ...Array.from({ length: ASKING }, (_, client) => asking(client)),
        ...Array.from({ length: DISCONNECTING }, disconnecting),
        killing(),
      ]);
      await service.stop();
    }
    const figures =
      `${questions.length} questions in ${minutes} minutes at concurrency ${CONCURRENCIES.join(' and ')}, ` +
      `${disconnected} disconnected, ${killed} kills: ${tally}`;
    return { figures, problems: tally.problems };
  },
};

/** Asks each question twice, cold and from the prefix cache. Returns the questions with their answers. */
async function answersAlone(url: string, questions: readonly Question[], tally: Tally) {
  const answered: Question[] = [];
  for (const asked of questions) {
    const [cold, cached] = [new Tally(), new Tally()];
    const answer = await askQuestion(url, asked, false, cold);
    const question = { ...asked, answer };
    await askQuestion(url, question, true, cached);
    if (answer === undefined) tally.add('lost', `alone: ${asked.label}: ${cold.problems}`);
    else answered.push(question);
    if (cached.counts.right === 0) tally.merge(cached);
  }
  return answered;
}

/** Disconnects during a random phase of a request: its body, waiting, prefill or its answer. */
async function disconnect(url: string, { path, body, label }: Question, tally: Tally) {
  const controller = new AbortController();
  const isEndless = path === '/v1/chat/completions' && Math.random() < 0.5;
  const sent = { ...body, ...(isEndless ? endless('') : {}), messages: body['messages'] };
  const stream = Math.random() < 0.6;
  const { id, end } = tally.track(`disconnects${stream ? ', stream' : ''}: ${label}`);
  const text = JSON.stringify({ ...(path === '/v1/responses' ? body : sent), stream });
  const half = Math.random() < 0.1;
  const response = fetch(`${url}${path}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'x-request-id': id },
    signal: controller.signal,
    ...(half ? { body: halfOf(text), duplex: 'half' } : { body: text }),
  } as RequestInit).then(async (response) => {
    if (stream && Math.random() < 0.5) {
      // closes the stream after one of its first events
      const events = response.body?.getReader();
      for (let read = Math.floor(Math.random() * 6); read >= 0; read -= 1) await events?.read();
      controller.abort();
    }
    await response.text();
  });
  const abort = setTimeout(Math.random() ** 2 * 600).then(() => controller.abort());
  await Promise.allSettled([response, abort]); // `response` rejects because of the abort
  end();
}

function halfOf(text: string): ReadableStream {
  const half = new TextEncoder().encode(text.slice(0, text.length / 2));
  return new ReadableStream({ start: (controller) => controller.enqueue(half) });
}

function oneOf<T>(all: readonly T[]): T {
  const one = all[Math.floor(Math.random() * all.length)];
  if (one === undefined) throw new TypeError('Cannot choose from an empty list.');
  return one;
}
