import type { Logger } from 'pino';
import type { Service } from '../service.ts';

/**
 * The first SIGINT or SIGTERM lets what is under way come to its end, the second ends it now.
 * Resolves when nothing is left, with no process behind.
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
  });
}
