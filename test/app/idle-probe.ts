import { setTimeout } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import { PROBE_MARK } from '../support/idle-probe.ts';
import type { SightglassApp } from '../support/sightglass-app.ts';

const QUIET_MS = 3000;

/** How often each timer of the app has fired, and the CPU time of its process. */
export interface Probe {
  fired: Record<string, number>;
  cpuMs: number;
}

/** Asks the probe in the app's process. */
export async function probe({ app }: SightglassApp): Promise<Probe> {
  const lines = () => app.output().split('\n');
  const reports = () => lines().filter((line) => line.startsWith(PROBE_MARK));
  const before = reports().length;
  const { pid } = JSON.parse(lines().find((line) => line.includes('"pid"')) ?? '{}');
  process.kill(pid, 'SIGUSR2');
  await app.until(() => reports().length > before);
  return JSON.parse(reports().at(-1)?.slice(PROBE_MARK.length) ?? '');
}

/** Resolves once no timer has fired for three seconds, during which nothing can be awaited. */
export async function settle(running: SightglassApp): Promise<Probe> {
  for (let before = await probe(running); ; ) {
    await setTimeout(QUIET_MS);
    const now = await probe(running);
    if (isDeepStrictEqual(now.fired, before.fired)) return now;
    before = now;
  }
}
