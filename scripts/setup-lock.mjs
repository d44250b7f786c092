import { linkSync, readFileSync, renameSync, unlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { processStart, setupFolder, showProgress, stopStep } from './setup-step.mjs';

const RETRY_MS = 200;

/**
 * Runs `work` while holding a lock, so that two setups in the same folder (say, of `npm start` and
 * `npm test`) run one after the other. The lock is a file that contains its owner's pid. If the owner was
 * killed, the lock is taken over and the command that the owner left running is stopped.
 */
export async function withSetupLock(root, work) {
  const lockPath = path.join(setupFolder(root), 'lock');
  await acquire(lockPath);
  const release = () => unlinkSync(lockPath);
  let stopping;
  const stop = () => {
    stopping ??= stopStep(root).finally(() => process.exit(130));
  };
  process.once('exit', release);
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.once(signal, stop);
  try {
    await stopStep(root);
    await work();
  } catch (error) {
    await stopping; // exits: a step that failed because we stopped it needs no message
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
    finishWaiting ??= showProgress('Waiting for another setup in this folder');
    await sleep(RETRY_MS);
  }
  finishWaiting?.('done');
}

/** Creates the lock file and its content atomically, so that a lock always has an owner. */
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

/** Removes the lock if its owner no longer runs. Returns false if the owner is still running. */
function takeOver(lockPath) {
  const aside = `${lockPath}.stale.${process.pid}`;
  try {
    if (isHeld(lockPath)) return false;
    renameSync(lockPath, aside);
    // Another process may have replaced the lock between the check and the rename: put it back.
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
