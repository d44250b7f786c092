// The process of an app under test: starts Chromium, runs the app's entry file, and does what the
// test asks of it. An entry file, started by start-app.ts with `--import register.ts`.

import { rmSync } from 'node:fs';
import { pathToFileURL } from 'node:url';
import { startChromium } from './chromium/chromium.ts';
import type { FromHost, ToHost } from './host-messages.ts';
import { app } from './module/app.ts';
import { launch, openWindows, readiness } from './readiness.ts';
import { onChange } from './record.ts';
import { standIn } from './stand-in.ts';

/** How long an entry file may take to its end once it has asked for whenReady(). */
const EVALUATION_MS = 2000;

const tell = (message: FromHost) => {
  // A test that has gone hears nothing, and its end is ours.
  if (process.connected) process.send?.(message, undefined, undefined, () => {});
};

// Like Electron: a process with neither window nor work lives on, until it is told to quit.
process.on('SIGTERM', () => app.quit());
process.on('disconnect', () => process.exit());
process.on('exit', () => {
  // Else the test removes it.
  if (!process.connected) rmSync(launch.folder, { recursive: true, force: true, maxRetries: 5 });
});
process.on('message', async ({ id, action, args }: ToHost) => {
  if (action === 'exit') process.exit();
  try {
    const act = standIn[action as keyof typeof standIn] as (...args: unknown[]) => unknown;
    const result = act(...args);
    await Promise.all([...openWindows].map((window) => window.told()));
    tell({ kind: 'answer', id, value: action === 'state' ? result : undefined });
  } catch (error) {
    tell({ kind: 'refusal', id, message: (error as Error).message });
  }
});
onChange(() => tell({ kind: 'changed' }));
process.argv = [process.execPath, launch.main, ...launch.args];
if (launch.resourcesPath !== undefined) setOfProcess('resourcesPath', launch.resourcesPath);

const starting = startChromium(launch.folder);
starting.catch(() => {});
const evaluation = import(pathToFileURL(launch.main).href);
await Promise.race([evaluation, readiness.asked]);
const deadlock = setTimeout(refuseDeadlock, EVALUATION_MS);
await evaluation;
clearTimeout(deadlock);
if (launch.isOnMac) {
  setOfProcess('platform', 'darwin');
  setOfProcess('arch', 'arm64');
}
const chromium = await starting;
readiness.become(chromium);
app.emit('ready', {}, {});
tell({ kind: 'started', endpoint: chromium.endpoint });

function setOfProcess(name: string, value: string): void {
  Object.defineProperty(process, name, { value });
}

/** Electron is ready only when the entry file has come to its end: electron/electron#40719. */
function refuseDeadlock(): void {
  throw new Error(
    `${launch.main} waits for app.whenReady() and has not come to its end in ${EVALUATION_MS} ms. ` +
      'An entry file that awaits it at its top level hangs under Electron too: use .then().',
  );
}
