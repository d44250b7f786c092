// For `node --import`: counts the timers of the built app that fire, and prints them with the CPU time
// on stdout when it gets SIGUSR2.

interface Probe {
  fired: Record<string, number>;
  cpuMs: number;
}
export const PROBE_MARK = 'idle probe: ';

const fired: Record<string, number> = {};

/** Where in the app a timer was made; undefined for those of others. */
function ownFrame(): string | undefined {
  const frame = new Error().stack?.split('\n').find((line) => /\/dist\/(main|server)\//.test(line));
  return frame?.replace(/.*\/dist\//, '').replace(/\)$/, '');
}

for (const name of ['setTimeout', 'setInterval', 'setImmediate'] as const) {
  const original = globalThis[name] as (...args: unknown[]) => unknown;
  const counting = (callback: (...args: unknown[]) => void, ...rest: unknown[]) => {
    const frame = ownFrame();
    const run = (...args: unknown[]) => {
      if (frame !== undefined) fired[frame] = (fired[frame] ?? 0) + 1;
      callback(...args);
    };
    return original(run, ...rest);
  };
  Object.defineProperties(counting, Object.getOwnPropertyDescriptors(original));
  Object.assign(globalThis, { [name]: counting });
}

process.on('SIGUSR2', () => {
  const { user, system } = process.cpuUsage();
  const probe: Probe = { fired, cpuMs: (user + system) / 1000 };
  process.stdout.write(`${PROBE_MARK}${JSON.stringify(probe)}\n`);
});
