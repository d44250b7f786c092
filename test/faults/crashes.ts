import { once } from 'node:events';
import { cp, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { Settings } from '../../server/settings.ts';
import { stream, userMessage } from '../support/chat.ts';
import { demoModel, startService } from '../support/service.ts';
import { checkSupervisorSequences } from '../support/supervisor-sequences.ts';
import { type Known, median, startClients, Tally } from './asking.ts';
import type { Campaign } from './campaign.ts';
import { isAlive, ServiceProcess } from './service-process.ts';

const CLIENTS = 8;
/** With one more within five minutes, the service gives up. */
const CRASHES_ALLOWED = 5;
const HANG_TIMEOUT_SECONDS = 3;
/** Much longer than the demo model takes to load on a busy machine. */
const LOADING_TIMEOUT_SECONDS = 25;
const LONGEST_PAUSE_MS = 1500;

/** Kills the runtime at random times, every fourth time while it loads. */
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

/** Suspends the runtime (SIGSTOP), every fourth time while it loads. */
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
  known: readonly Known[];
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

/** Generated sequences of commands, crashes and hangs through the supervisor, in memory. */
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
    // As started, port included: another one would end the connections of that moment.
    const settings = Settings.parse({ ...started, port: 0 });
    const clients = startClients(CLIENTS, () => running.url, known);
    const cut: string[] = [];
    try {
      for (let each = 0; each < times; each += 1) {
        const counting = countWhole(running.url, known[0]);
        const [next, after] = [models[(each + 1) % 3], models[(each + 2) % 3]];
        await counting.begun;
        for (const modelPath of [next, after]) {
          if (modelPath === undefined) throw new TypeError('There are three models.');
          await running.service.apply({ ...settings, modelPath });
        }
        if (!(await counting.isWhole)) cut.push(`switch ${each + 1} cut a stream`);
        await running.runtime();
      }
    } finally {
      const tally = await clients.stop();
      await running.stop();
      await rm(folder, { recursive: true, force: true });
      cut.push(...tally.problems);
    }
    return {
      figures: `${times} times two models in a row under a stream and ${CLIENTS} clients: ${clients.tally}`,
      problems: cut,
    };
  },
};

/** A long stream. `begun` resolves at the first token, `isWhole` with whether it completed. */
function countWhole(url: string, picture: Known | undefined) {
  const begun = new EventTarget();
  const hasBegun = once(begun, 'token');
  const read = async () => {
    let last = '';
    const body = {
      messages: [userMessage('Count to one hundred.', picture?.image ?? '')],
      max_tokens: 300,
    };
    for await (const event of stream(url, body)) {
      begun.dispatchEvent(new Event('token'));
      last = event;
    }
    return last === '[DONE]';
  };
  return { begun: hasBegun, isWhole: read() };
}
