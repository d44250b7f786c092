import { setTimeout } from 'node:timers/promises';
import { endless, question, statsOf } from '../support/chat.ts';
import type { Campaign } from './campaign.ts';
import { ask, type KnownPicture, Tally } from './clients.ts';
import { ServiceProcess } from './service-process.ts';

/** Values of `--max-concurrency`, tested with the same load. */
const CONCURRENCIES = [1, 2, 4, 16];
const SLOT_FREE_WITHIN_MS = 1000;

/** Sends many concurrent requests, half of them streams. Each answer must be about its own picture. */
export const mixUps: Campaign = {
  name: 'mix-ups',
  run: async ({ full, known }) => {
    const each = full ? 450 : 60;
    const tally = new Tally();
    for (const concurrency of CONCURRENCIES) {
      const flags = ['--max-concurrency', `${concurrency}`, '--queue-size', '1000'];
      const service = await ServiceProcess.start(flags);
      const pictures = Array.from({ length: each }, (_, at) => known[(at * 7) % known.length]);
      const next = pictures.entries();
      const worker = async () => {
        for (const [at, picture] of next) {
          if (picture !== undefined) await ask(service.url, picture, at % 2 === 1, tally);
        }
      };
      await Promise.all(Array.from({ length: 16 }, worker));
      await service.stop();
    }
    const figures = `${each * CONCURRENCIES.length} requests at concurrency ${CONCURRENCIES.join(', ')}: ${tally}`;
    return { figures, problems: tally.problems };
  },
};

type Disconnect = (url: string, image: string) => Promise<void>;

/** The phases in which a client can disconnect. */
const PHASES: Readonly<Record<string, Disconnect>> = {
  'while sending the body': async (url, image) => {
    const body = JSON.stringify(question(image));
    const half = new ReadableStream({
      start: (controller) => controller.enqueue(new TextEncoder().encode(body.slice(0, 2000))),
    });
    await disconnectAfter(50, url, { body: half, duplex: 'half' } as RequestInit);
  },
  immediately: (url, image) => disconnectAfter(0, url, toInit(endless(image))),
  'waiting or running': (url, image) =>
    disconnectAfter(20 + Math.random() * 300, url, toInit(endless(image))),
  streaming: (url, image) =>
    disconnectAfter(50 + Math.random() * 500, url, toInit({ ...endless(image), stream: true })),
};

/** Disconnects clients in every phase. Their slots must be free within a second. */
export const disconnects: Campaign = {
  name: 'disconnects',
  run: async ({ full, known }) => {
    const rounds = full ? 125 : 10;
    const service = await ServiceProcess.start(['--max-concurrency', '2', '--queue-size', '50']);
    const image = known[0]?.image ?? '';
    const problems: string[] = [];
    const freeAfterMs: number[] = [];
    await ask(service.url, known[0] as KnownPicture, false, new Tally()); // warm-up
    const before = await service.vitals();
    for (let round = 0; round < rounds; round += 1) {
      const clients = Object.values(PHASES).flatMap((disconnect) => [disconnect, disconnect]);
      await Promise.all(clients.map((disconnect) => disconnect(service.url, image)));
      const disconnectedAt = performance.now();
      while ((await statsOf(service.url)).active_requests > 0) {
        if (performance.now() - disconnectedAt > 10 * SLOT_FREE_WITHIN_MS) break;
        await setTimeout(5);
      }
      freeAfterMs.push(performance.now() - disconnectedAt);
    }
    const tally = new Tally();
    await ask(service.url, known[1] as KnownPicture, false, tally);
    const after = await service.vitals();
    await service.stop();
    const longest = Math.max(...freeAfterMs);
    if (longest > SLOT_FREE_WITHIN_MS) problems.push(`a slot was only free after ${longest} ms`);
    if (after.openFiles > before.openFiles + 20) {
      problems.push(`open files grew from ${before.openFiles} to ${after.openFiles}`);
    }
    const count = rounds * 2 * Object.keys(PHASES).length;
    return {
      figures: `${count} in ${Object.keys(PHASES).length} phases: every slot free within ${(longest / 1000).toFixed(2)} s, ${before.openFiles} open files before, ${after.openFiles} after`,
      problems: [...problems, ...tally.problems],
    };
  },
};

function toInit(body: object): RequestInit {
  return { body: JSON.stringify(body) };
}

async function disconnectAfter(ms: number, url: string, init: RequestInit): Promise<void> {
  const controller = new AbortController();
  const response = fetch(`${url}/v1/chat/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    ...init,
    signal: controller.signal,
  }).then((response) => response.text());
  await setTimeout(ms);
  controller.abort();
  await response.catch(() => {}); // rejects because of the abort
}
