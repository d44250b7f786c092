import { linkSync, readFileSync, renameSync, unlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { endStep, processStart, setupFolder, showProgress } from './setup-step.mjs';

const RETRY_MS = 200;

/**
 * Runs `work` while no other setup of this folder runs (`npm start` and `npm test` at once). The lock
 * is a file that names its owner. The lock of a killed setup is taken over, and the command that it left
 * running is killed.
 */
export async function withSetupLock(root, work) {
  const lockPath = path.join(setupFolder(root), 'lock');
  await acquire(lockPath);
  const release = () => unlinkSync(lockPath);
  let stopping;
  const stop = () => {
    stopping ??= endStep(root).finally(() => process.exit(130));
  };
  process.once('exit', release);
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.once(signal, stop);
  try {
    await endStep(root);
    await work();
  } catch (error) {
    await stopping; // a step that failed because we ended it needs no message
    throw error;
  } finally {
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.removeListener(signal, stop);
    process.removeListener('exit', release);
    release();
  }
}

async function acquire(lockPath) {
  let finishWaiting;
  while (!tryLink(lockPath)) {
    if (takeOver(lockPath)) continue;
    finishWaiting ??= showProgress('Waiting for another setup of this folder');
    await sleep(RETRY_MS);
  }
  finishWaiting?.('done');
}

/** Creates the lock and its content in one step, so that it always names its owner. */
function tryLink(lockPath) {
  const ours = `${lockPath}.${process.pid}`;
  writeFileSync(ours, `${process.pid}\n${processStart(process.pid) ?? ''}`);
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
    // Another waiter may have replaced the lock between the check and the rename: put it back.
    if (isHeld(aside)) linkSync(aside, lockPath);
    unlinkSync(aside);
    return true;
  } catch (error) {
    if (error.code === 'ENOENT') return true;
    throw error;
  }
}

function isHeld(lockPath) {
  const [pid, started = ''] = readFileSync(lockPath, 'utf8').split('\n');
  return (processStart(pid) ?? '') === started && started !== '';
}
