import { SingleBar } from 'cli-progress';
import type { Logger } from 'pino';
import { modelIdOf } from '../http/model-id.ts';
import { checkModel } from '../models/check-model.ts';
import type { CheckResult } from '../models/model-views.ts';
import { createRuntimeCommand } from '../runtime/runtime-command.ts';
import { RuntimeSupervisor } from '../runtime/runtime-supervisor.ts';
import { Settings } from '../settings.ts';
import { InterruptedError } from './interrupted.ts';

/** Answers from one line to the next, where there is no terminal for a bar. */
const LINE_EVERY = 5;

/**
 * Loads a model without serving it, checks it, and lets it go. Ctrl-C ends it.
 * @throws RuntimeFailedError when it cannot be loaded, InterruptedError, and what `checkModel` throws
 */
export async function checkAlone(
  modelPath: string,
  resources: URL,
  log: Logger,
): Promise<CheckResult> {
  const { hangTimeoutSeconds } = Settings.parse({ modelPath });
  const runtime = new RuntimeSupervisor({
    command: createRuntimeCommand(resources),
    modelPath,
    hangTimeoutMs: hangTimeoutSeconds * 1000,
    log,
  });
  const bar = new SingleBar({
    format: '{bar} {value} of {total} answers',
    barCompleteChar: '█',
    barIncompleteChar: '░',
    hideCursor: true,
  });
  const onProgress = (done: number, of: number) => {
    if (!process.stderr.isTTY) {
      if (done % LINE_EVERY === 0) process.stderr.write(`${done} of ${of} answers\n`);
    } else if (bar.isActive) bar.update(done);
    else bar.start(of, done);
  };
  const controller = new AbortController();
  const stop = () => controller.abort();
  process.on('SIGINT', stop).on('SIGTERM', stop);
  try {
    runtime.start();
    const connection = await runtime.ensureReady(controller.signal);
    return await checkModel(connection, {
      model: modelIdOf(modelPath),
      signal: controller.signal,
      onProgress,
    });
  } catch (error) {
    if (controller.signal.aborted) throw new InterruptedError('Stopped.');
    throw error;
  } finally {
    bar.stop();
    process.off('SIGINT', stop).off('SIGTERM', stop);
    await runtime.shutdown();
  }
}
