import { readdir, stat } from 'node:fs/promises';
import { totalmem } from 'node:os';
import { join } from 'node:path';
import type { Logger } from 'pino';
import { inspectModel } from '../models/find-models.ts';
import { isHubName } from '../models/hub-name.ts';
import type { ModelsProgram } from '../models/models-program.ts';
import type { Settings } from '../settings.ts';
import { fetchModel } from './fetch-model.ts';
import { explainFit } from './model-text.ts';

/** Below this share of the memory a model surely fits, and nobody needs to be asked. */
const SURELY_FITS = 0.4;

/**
 * Downloads the model to be served if it is a Hugging Face id that is not here yet. Of one that may be
 * too large the log says so, while it is loaded.
 * @throws RuntimeFailedError, InterruptedError
 */
export async function prepareModel(
  { modelPath, maxConcurrency }: Settings,
  program: ModelsProgram,
  log: Logger,
): Promise<void> {
  const judged = async () => {
    const { fit, problem } = await inspectModel(modelPath, { program, maxConcurrency });
    if (problem === undefined && fit !== undefined && fit.verdict !== 'fits') {
      log.warn(`This model may not fit in memory: ${explainFit(fit)}.`);
    }
    return problem;
  };
  if (isHubName(modelPath)) {
    const problem = await judged();
    if (problem?.reason !== 'model_not_found' && problem?.reason !== 'model_incomplete') return;
    await fetchModel(modelPath, program, (line) => log.info(line));
  } else if ((await weightsIn(modelPath)) > SURELY_FITS * totalmem()) {
    judged().catch((error: unknown) => log.debug({ err: error }, 'the model was not judged'));
  }
}

async function weightsIn(folder: string): Promise<number> {
  const names = await readdir(folder).catch(() => []);
  const sizes = names
    .filter((name) => name.endsWith('.safetensors') && !name.startsWith('.'))
    .map((name) => stat(join(folder, name)).then(({ size }) => size));
  // What cannot be read is the launcher's to name.
  return Promise.all(sizes).then(sum, () => 0);
}

function sum(sizes: readonly number[]): number {
  return sizes.reduce((total, size) => total + size, 0);
}
