import {
  linkSync,
  readFileSync,
  renameSync,
  statSync,
  unlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { setupFolder, showProgress } from './setup-step.mjs';

const RETRY_MS = 200;
const HEARTBEAT_MS = 5000;
/** A holder that has not touched its lock for so long is gone, though its pid may live on as another's. */
const STALE_MS = 60_000;

/**
 * Runs `work` while no other set-up of this folder runs (`npm start` and `npm test` at once). The lock
 * is a file holding its owner's pid; the lock of a killed set-up is taken over.
 */
export async function withSetupLock(root, work) {
  const lockPath = path.join(setupFolder(root), 'lock');
  await acquire(lockPath);
  const release = () => unlinkSync(lockPath);
  const exit = () => process.exit(130);
  const heartbeat = setInterval(() => utimesSync(lockPath, new Date(), new Date()), HEARTBEAT_MS);
  process.once('exit', release);
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.once(signal, exit);
  try {
    await work();
  } finally {
    clearInterval(heartbeat);
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.removeListener(signal, exit);
    process.removeListener('exit', release);
    release();
  }
}

async function acquire(lockPath) {
  let waited;
  while (!tryLink(lockPath)) {
    if (takeOver(lockPath)) continue;
    waited ??= showProgress('Waiting for another set-up of this folder');
    await sleep(RETRY_MS);
  }
  waited?.('done');
}

/** Makes the lock and its content appear in one step, so that it is never seen without its pid. */
function tryLink(lockPath) {
  const ours = `${lockPath}.${process.pid}`;
  writeFileSync(ours, String(process.pid));
  try {
    linkSync(ours, lockPath);
    return true;
  } catch (error) {
    if (error.code !== 'EEXIST') throw error;
    return false;
  } finally {
    unlinkSync(ours);
  }
}

/** Removes a lock whose owner is gone. False when the owner is alive. */
function takeOver(lockPath) {
  const aside = `${lockPath}.stale.${process.pid}`;
  try {
    if (isHeld(lockPath)) return false;
    renameSync(lockPath, aside);
    // Another waiter may have replaced the lock between the look and the rename: give it back.
    if (isHeld(aside)) linkSync(aside, lockPath);
    unlinkSync(aside);
    return true;
  } catch (error) {
    if (error.code === 'ENOENT') return true;
    throw error;
  }
}

function isHeld(lockPath) {
  const pid = Number(readFileSync(lockPath, 'utf8'));
  if (Date.now() - statSync(lockPath).mtimeMs > STALE_MS) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code === 'EPERM';
  }
}
