import type { Logger } from 'pino';
import { HangWatch } from './hang-watch.ts';
import type { ReadyLine } from './launcher-line.ts';
import { RuntimeConnection } from './runtime-connection.ts';
import type { RuntimeProcess } from './runtime-process.ts';

export interface RuntimeLink {
  model: ReadyLine;
  socketPath: string;
  process: RuntimeProcess;
  hangTimeoutMs: number;
  log: Logger;
  now?: () => number;
}

/** The connection to a runtime that is ready, which is killed when it hangs. */
export function connectRuntime(link: RuntimeLink): RuntimeConnection {
  const { model, socketPath, process, hangTimeoutMs, log, now = () => performance.now() } = link;
  const onHang = () => {
    log.error(`the runtime made no progress for ${hangTimeoutMs / 1000} s: restarting it`);
    process.kill();
  };
  return new RuntimeConnection({
    model,
    socketPath,
    died: process.exited,
    watch: (probe) => new HangWatch({ timeoutMs: hangTimeoutMs, probe, onHang, now }),
  });
}
