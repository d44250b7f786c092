import { setTimeout } from 'node:timers/promises';
import { endless, stream } from '../support/chat.ts';
import type { Campaign } from './campaign.ts';
import { isAlive, ServiceProcess } from './service-process.ts';

const GONE_WITHIN_MS = 5000;
const LOOK_EVERY_MS = 10;

/** Signals that end the service, sent in sequence. */
const WAYS: readonly (readonly NodeJS.Signals[])[] = [
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
 * Ends the service idle and under an endless stream, and looks for what is left: processes and
 * temporary folders. A single signal lets the stream go on, so those are tried idle only.
 */
export const endings: Campaign = {
  name: 'endings',
  run: async ({ full, known }) => {
    const problems: string[] = [];
    const takenMs: number[] = [];
    let tried = 0;
    for (const signals of full ? WAYS : WAYS.filter((_, at) => at % 2 === 0)) {
      const isGentle = signals.length === 1 && /TERM|INT|HUP/.test(signals[0] ?? '');
      for (const isBusy of isGentle ? [false] : [false, true]) {
        tried += 1;
        const name = `${signals.join(', ')}${isBusy ? ' under a stream' : ''}`;
        const service = await ServiceProcess.start();
        const streaming = isBusy ? beginStream(service.url, known[0]?.image ?? '') : undefined;
        await streaming?.begun;
        const runtime = service.runtimePid;
        const startedAt = performance.now();
        for (const [at, signal] of signals.entries()) {
          // Two pending signals of the same kind are delivered as one.
          const noticed = at === 0 && isBusy && /TERM|INT/.test(signal);
          const finishing = noticed ? service.logged('finishing 1 request(s) first') : undefined;
          service.kill(signal);
          await finishing;
        }
        await service.ended;
        while (
          (isAlive(runtime) || (await service.temporaryFolders()) > 0) &&
          elapsed(startedAt) < GONE_WITHIN_MS
        ) {
          await setTimeout(LOOK_EVERY_MS);
        }
        takenMs.push(elapsed(startedAt));
        if (isAlive(runtime)) problems.push(`${name}: the runtime is still running`);
        if ((await service.temporaryFolders()) > 0)
          problems.push(`${name}: a temporary folder was left behind`);
        await streaming?.ended;
        await service.stop();
      }
    }
    const longest = (Math.max(...takenMs) / 1000).toFixed(1);
    return { figures: `${tried} ways: nothing left after at most ${longest} s`, problems };
  },
};

function elapsed(startedAt: number): number {
  return performance.now() - startedAt;
}

/** An endless stream. `ended` resolves when it ends, for any reason. */
function beginStream(url: string, image: string) {
  const begun = Promise.withResolvers<void>();
  const read = async () => {
    for await (const _event of stream(url, endless(image))) begun.resolve();
  };
  const ended = read().catch(() => {}); // it is interrupted on purpose
  return { begun: begun.promise, ended };
}
