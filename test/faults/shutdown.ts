import { setTimeout } from 'node:timers/promises';
import { endless, stream } from '../support/chat.ts';
import type { Campaign } from './campaign.ts';
import { isAlive, ServiceProcess } from './service-process.ts';

const CLEAN_WITHIN_MS = 5000;
const POLL_MS = 10;

/** Sequences of signals that end the service. */
const SIGNALS: readonly (readonly NodeJS.Signals[])[] = [
  ['SIGTERM'],
  ['SIGINT'],
  ['SIGHUP'],
  ['SIGQUIT'],
  ['SIGABRT'],
  ['SIGKILL'],
  ['SIGTERM', 'SIGTERM'],
  ['SIGINT', 'SIGINT'],
  ['SIGTERM', 'SIGKILL'],
];

/**
 * Ends the service while it is idle and while it streams. No process and no temporary folder may remain.
 * A single SIGTERM, SIGINT or SIGHUP waits for the endless stream, so those are only sent while idle.
 */
export const shutdown: Campaign = {
  name: 'shutdown',
  run: async ({ full, known }) => {
    const problems: string[] = [];
    const takenMs: number[] = [];
    let tried = 0;
    for (const signals of full ? SIGNALS : SIGNALS.filter((_, at) => at % 2 === 0)) {
      const isGentle = signals.length === 1 && /TERM|INT|HUP/.test(signals[0] ?? '');
      for (const isBusy of isGentle ? [false] : [false, true]) {
        tried += 1;
        const name = `${signals.join(', ')}${isBusy ? ' while streaming' : ''}`;
        const service = await ServiceProcess.start();
        const streaming = isBusy ? startStream(service.url, known[0]?.image ?? '') : undefined;
        await streaming?.started;
        const runtime = service.runtimePid;
        const startedAt = performance.now();
        for (const [at, signal] of signals.entries()) {
          // Wait until the first is handled: two pending signals of the same kind are delivered as one.
          const isHandled = at === 0 && isBusy && /TERM|INT/.test(signal);
          const finishing = isHandled ? service.logged('finishing 1 request(s) first') : undefined;
          service.kill(signal);
          await finishing;
        }
        await service.ended;
        while (
          (isAlive(runtime) || (await service.temporaryFolders()) > 0) &&
          elapsed(startedAt) < CLEAN_WITHIN_MS
        ) {
          await setTimeout(POLL_MS);
        }
        takenMs.push(elapsed(startedAt));
        if (isAlive(runtime)) problems.push(`${name}: the runtime is still running`);
        if ((await service.temporaryFolders()) > 0)
          problems.push(`${name}: a temporary folder remains`);
        await streaming?.ended;
        await service.stop();
      }
    }
    const longest = (Math.max(...takenMs) / 1000).toFixed(1);
    return { figures: `${tried} shutdowns: nothing left after at most ${longest} s`, problems };
  },
};

function elapsed(startedAt: number): number {
  return performance.now() - startedAt;
}

/** Starts an endless stream. `ended` resolves when it ends, for any reason. */
function startStream(url: string, image: string) {
  const started = Promise.withResolvers<void>();
  const read = async () => {
    for await (const _event of stream(url, endless(image))) started.resolve();
  };
  const ended = read().catch(() => {}); // it is interrupted on purpose
  return { started: started.promise, ended };
}
