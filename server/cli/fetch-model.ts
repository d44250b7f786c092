import { Downloads } from '../models/downloads.ts';
import type { ModelsProgram } from '../models/models-program.ts';
import { DownloadProgress, type Say } from './download-progress.ts';
import { InterruptedError } from './interrupted.ts';

const toStderr: Say = (line) => void process.stderr.write(`${line}\n`);

/**
 * Downloads a model, with a bar if stderr is a terminal. Resolves with its folder. Ctrl-C pauses.
 * @throws RuntimeFailedError, InterruptedError
 */
export async function fetchModel(
  id: string,
  program: ModelsProgram,
  say = toStderr,
): Promise<string> {
  const progress = new DownloadProgress(say);
  const downloads = new Downloads({
    program,
    access: () => ({}), // HF_TOKEN and HF_ENDPOINT, or `hf auth login`, as huggingface_hub has it
    onChange: () => {
      const [download] = downloads.list;
      if (download !== undefined) progress.update(download);
    },
  });
  const pause = () => void downloads.pause(id);
  process.on('SIGINT', pause).on('SIGTERM', pause);
  try {
    return await downloads.start(id);
  } catch (error) {
    if ((error as Error).name !== 'AbortError') throw error;
    throw new InterruptedError(
      `Paused. Run the same command to continue; \`models discard ${id}\` removes it.`,
    );
  } finally {
    process.off('SIGINT', pause).off('SIGTERM', pause);
    progress.end();
  }
}
