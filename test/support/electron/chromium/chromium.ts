import { spawn } from 'node:child_process';
import { readlinkSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import { findChromium } from '../../../../scripts/setup-chromium.mjs';
import { Connection } from './connection.ts';

const FLAGS = [
  '--headless',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--disable-dev-shm-usage',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-default-apps',
  '--disable-extensions',
  '--disable-sync',
  // As a Mac's display.
  '--force-device-scale-factor=2',
  '--hide-scrollbars',
  '--no-default-browser-check',
  '--no-first-run',
  // Its new tab page has kept playwright from connecting.
  '--no-startup-window',
  '--password-store=basic',
  '--use-mock-keychain',
  '--remote-debugging-pipe',
  '--remote-debugging-port=0',
];

type Pipes = [null, null, Readable, Writable, Readable];

export interface Chromium {
  connection: Connection;
  /** Where others, playwright among them, can connect to the same browser. */
  endpoint: string;
}

/**
 * Starts a headless Chromium. It ends with this process, however that ends: at an exit it is killed,
 * and when we are killed its pipe closes, which it takes as its end.
 */
export async function startChromium(folder: string): Promise<Chromium> {
  const file = findChromium();
  if (file === undefined) throw new Error('There is no Chromium; see scripts/setup-chromium.mjs.');
  const userData = join(folder, 'chromium');
  const child = spawn(file, [...FLAGS, `--user-data-dir=${userData}`], {
    stdio: ['ignore', 'ignore', 'pipe', 'pipe', 'pipe'],
    detached: true,
  });
  process.once('exit', () => {
    try {
      if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL');
    } catch {
      // It has ended before us.
    }
    removeSocket(userData);
  });
  const [, , stderr, input, output] = child.stdio as unknown as Pipes;
  const endpoint = await readEndpoint(stderr);
  return { connection: new Connection(input, output), endpoint };
}

/** Chromium makes it in the folder for temporary files, and leaves it there when it is killed. */
function removeSocket(userData: string): void {
  try {
    const socket = readlinkSync(join(userData, 'SingletonSocket'));
    rmSync(dirname(socket), { recursive: true, force: true });
  } catch {
    // It has not come so far, or ended by itself.
  }
}

function readEndpoint(stderr: Readable): Promise<string> {
  const seen: string[] = [];
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const lines = createInterface(stderr);
  lines.on('line', (line) => {
    seen.push(line);
    const [, endpoint] = /^DevTools listening on (ws:\S+)/.exec(line) ?? [];
    if (endpoint !== undefined) resolve(endpoint);
  });
  lines.on('close', () => reject(new Error(`Chromium did not start.\n${seen.join('\n')}`)));
  return promise;
}
