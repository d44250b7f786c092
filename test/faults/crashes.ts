import { cp, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { Settings } from '../../server/settings.ts';
import { stream, userMessage } from '../support/chat.ts';
import { demoModel, startService } from '../support/service.ts';
import { checkSupervisorSequences } from '../support/supervisor-sequences.ts';
import type { Campaign } from './campaign.ts';
import { type KnownPicture, median, startClients, Tally } from './clients.ts';
import { isAlive, ServiceProcess } from './service-process.ts';

const CLIENTS = 8;
/** The service gives up if there are more crashes than this within five minutes. */
const CRASHES_ALLOWED = 5;
const HANG_TIMEOUT_SECONDS = 3;
/** Much longer than the demo model takes to load, even on a busy machine. */
const LOADING_TIMEOUT_SECONDS = 25;
const LONGEST_PAUSE_MS = 1500;

/** Kills the runtime at random times, every fourth time while it is loading. */
export const kills: Campaign = {
  name: 'kills',
  run: ({ full, known }) =>
    harmRuntime({
      times: full ? 100 : 10,
      known,
      harm: (pid) => process.kill(pid, 'SIGKILL'),
      flags: [],
    }),
};

/** Suspends the runtime (SIGSTOP) at random times, every fourth time while it is loading. */
export const hangs: Campaign = {
  name: 'hangs',
  run: ({ full, known }) =>
    harmRuntime({
      times: full ? 20 : 4,
      known,
      harm: (pid) => process.kill(pid, 'SIGSTOP'),
      flags: [
        ...['--hang-timeout', `${HANG_TIMEOUT_SECONDS}`],
        ...['--loading-timeout', `${LOADING_TIMEOUT_SECONDS}`],
      ],
    }),
};

async function harmRuntime(options: {
  times: number;
  known: readonly KnownPicture[];
  harm: (pid: number) => void;
  flags: readonly string[];
}) {
  const { times, known, harm, flags } = options;
  const recoveriesMs: number[] = [];
  const total = new Tally();
  const problems: string[] = [];
  let done = 0;
  while (done < times) {
    const service = await ServiceProcess.start(['--max-concurrency', '2', ...flags]);
    const clients = startClients(CLIENTS, () => service.url, known);
    const harms = Math.min(CRASHES_ALLOWED, times - done);
    for (let each = 0; each < harms; each += 1) {
      await setTimeout(Math.random() * LONGEST_PAUSE_MS);
      const whileLoading = (done + each) % 4 === 3;
      const loading = service.logged('runtime loading');
      loading.catch(() => {});
      const startedAt = performance.now();
      harm(service.runtimePid);
      if (whileLoading && each < harms - 1) {
        await loading;
        const again = service.logged('runtime loading');
        harm(service.runtimePid);
        await again;
        each += 1;
      }
      await service.logged('runtime ready');
      recoveriesMs.push(performance.now() - startedAt);
    }
    done += harms;
    total.merge(await clients.stop());
    const left = await service.temporaryFolders();
    if (left !== 1) problems.push(`expected 1 runtime folder, found ${left}`);
    const stray = service.runtimePids.slice(0, -1).filter(isAlive);
    if (stray.length > 0) problems.push(`runtimes still alive: ${stray.join(', ')}`);
    await service.stop();
  }
  const seconds = (median(recoveriesMs) / 1000).toFixed(1);
  const worst = (Math.max(...recoveriesMs) / 1000).toFixed(1);
  return {
    figures: `${times} with ${CLIENTS} clients: ${total}; ready again after ${seconds} s (at most ${worst} s)`,
    problems: [...problems, ...total.problems],
  };
}

/** Runs generated sequences of commands, crashes and hangs through the supervisor, in memory. */
export const sequences: Campaign = {
  name: 'supervisor sequences',
  run: async ({ full }) => {
    const runs = full ? 10_000 : 1000;
    const steps = await checkSupervisorSequences({ runs });
    return { figures: `${runs} sequences of ${steps} steps: every invariant held`, problems: [] };
  },
};

/** Switches models while requests run and wait. */
export const switches: Campaign = {
  name: 'switches',
  run: async ({ full, known }) => {
    const times = full ? 20 : 4;
    const folder = await mkdtemp(join(tmpdir(), 'sightglass-models-'));
    const models = ['a', 'b', 'c'].map((name) => join(folder, name));
    for (const model of models) await cp(demoModel, model, { recursive: true });
    const started = { modelPath: models[0] ?? '', maxConcurrency: 2 };
    const running = await startService(started);
    // The same port as at the start: a change would close the open connections.
    const settings = Settings.parse({ ...started, port: 0 });
    const clients = startClients(CLIENTS, () => running.url, known);
    const problems: string[] = [];
    try {
      for (let each = 0; each < times; each += 1) {
        const counting = startCounting(running.url, known[0]);
        const [next, after] = [models[(each + 1) % 3], models[(each + 2) % 3]];
        await counting.started;
        for (const modelPath of [next, after]) {
          if (modelPath === undefined) throw new TypeError('There are three models.');
          await running.service.apply({ ...settings, modelPath });
        }
        if (!(await counting.isComplete)) problems.push(`switch ${each + 1} interrupted a stream`);
        await running.runtime();
      }
    } finally {
      const tally = await clients.stop();
      await running.stop();
      await rm(folder, { recursive: true, force: true });
      problems.push(...tally.problems);
    }
    return {
      figures: `${times} × 2 switches during a stream, with ${CLIENTS} clients: ${clients.tally}`,
      problems,
    };
  },
};

/** Starts a long stream. `started` resolves at the first token, `isComplete` when the stream ends. */
function startCounting(url: string, picture: KnownPicture | undefined) {
  const started = Promise.withResolvers<void>();
  const read = async () => {
    let last = '';
    const body = {
      messages: [userMessage('Count to one hundred.', picture?.image ?? '')],
      max_tokens: 300,
    };
    for await (const event of stream(url, body)) {
      started.resolve();
      last = event;
    }
    return last === '[DONE]';
  };
  return { started: started.promise, isComplete: read() };
}
