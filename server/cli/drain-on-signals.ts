import type { Logger } from 'pino';
import type { Service } from '../service.ts';

/**
 * The first SIGINT, SIGTERM or SIGHUP (its terminal was closed) lets running requests complete, the
 * second stops at once. Under `nohup` too: Node.js resets ignored signals when it starts, so that
 * cannot be detected. Resolves when no process is left.
 */
export function drainOnSignals(service: Service, log: Logger): Promise<void> {
  return new Promise((resolve, reject) => {
    let asked = false;
    const onSignal = () => {
      const ending = asked ? service.stop() : service.drain();
      if (!asked && service.activity.active().length > 0) {
        const count = service.activity.active().length;
        log.info(`finishing ${count} request(s) first; press Ctrl-C again to stop now`);
      }
      asked = true;
      ending.then(resolve, reject);
    };
    process.on('SIGINT', onSignal);
    process.on('SIGTERM', onSignal);
    process.on('SIGHUP', onSignal);
  });
}
