import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { AppUnderTest } from './app-under-test.ts';
import { HostProcess } from './host-process.ts';
import { LAUNCH_VARIABLE, type Launch } from './launch.ts';
import { StandInApp } from './stand-in-app.ts';

export interface AppOptions extends Partial<Omit<Launch, 'main' | 'folder'>> {
  /** The app's entry file. */
  main: string | URL;
  /** Beside those of the test's own process. */
  env?: NodeJS.ProcessEnv;
}

/**
 * Runs an app on the stand-in, in a process of its own, and resolves when it is ready. That process
 * ends with the test's. Rejects with its output when it ends before it is ready.
 */
export async function startApp({ main, env = {}, ...options }: AppOptions): Promise<AppUnderTest> {
  const folder = mkdtempSync(join(tmpdir(), 'sightglass-app-'));
  const { userData = join(folder, 'user-data') } = options;
  mkdirSync(userData, { recursive: true });
  const file = main instanceof URL ? fileURLToPath(main) : main;
  const launch: Partial<Launch> = { ...options, main: file, folder, userData };
  const child = spawn(process.execPath, ['--import', toPath('register.ts'), toPath('host.ts')], {
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    serialization: 'advanced',
    env: { ...process.env, ...env, [LAUNCH_VARIABLE]: JSON.stringify(launch) },
  });
  const host = new HostProcess(child);
  const app = new StandInApp(host, { folder, userData });
  try {
    await host.started;
    return app;
  } catch (error) {
    await app.stop();
    throw error;
  }
}

function toPath(name: string): string {
  return fileURLToPath(new URL(name, import.meta.url));
}
