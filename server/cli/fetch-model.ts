import { readdir, stat } from 'node:fs/promises';
import { totalmem } from 'node:os';
import { join } from 'node:path';
import { SingleBar } from 'cli-progress';
import type { Logger } from 'pino';
import { Downloads } from '../models/downloads.ts';
import { inspectModel } from '../models/find-models.ts';
import { isHubName } from '../models/names.ts';
import type { ModelsProgram } from '../models/program.ts';
import type { Download } from '../models/views.ts';
import type { Settings } from '../settings.ts';
import { toSize } from '../size.ts';
import { InterruptedError } from './interruption.ts';
import { explainFit } from './model-text.ts';

const toStderr: Say = (line) => void process.stderr.write(`${line}\n`);

/**
 * Downloads a model, with a bar if stderr is a terminal. Resolves with its folder. Ctrl-C pauses.
 * @throws ModelError, InterruptedError
 */
export async function fetchModel(
  id: string,
  program: ModelsProgram,
  say = toStderr,
): Promise<string> {
  const progress = new DownloadProgress(say);
  const downloads = new Downloads({
    program,
    access: () => ({}), // huggingface_hub reads HF_TOKEN, HF_ENDPOINT and the token of `hf auth login`
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

/** How often to print progress without a terminal. */
const TENTHS = 10;

const PHASES: Readonly<Record<Download['phase'], string>> = {
  starting: 'asking the Hub',
  downloading: '',
  waiting: 'no network; it continues automatically',
  verifying: 'checking the files',
  paused: 'paused',
  failed: 'failed',
};

/** Prints a line if there is no terminal. */
export type Say = (line: string) => void;

/** Shows a download's progress: a bar on a terminal, otherwise a line for every tenth. */
class DownloadProgress {
  readonly #say: Say;
  readonly #bar: SingleBar | undefined;
  #lastPrinted = '';

  constructor(say: Say, out: NodeJS.WriteStream = process.stderr) {
    this.#say = say;
    if (!out.isTTY) return;
    this.#bar = new SingleBar({
      format: '{bar} {percentage}%  {words}',
      barCompleteChar: '█',
      barIncompleteChar: '░',
      hideCursor: true,
      stream: out,
    });
  }

  update(download: Download): void {
    if (this.#bar === undefined) this.#sayLine(download);
    else this.#drawBar(this.#bar, download);
  }

  end(): void {
    this.#bar?.stop();
  }

  #drawBar(bar: SingleBar, download: Download): void {
    const { doneBytes, totalBytes } = download;
    const words = { words: toWords(download) };
    if (totalBytes === undefined) return;
    if (!bar.isActive) bar.start(totalBytes, doneBytes, words);
    bar.setTotal(totalBytes);
    bar.update(doneBytes, words);
  }

  #sayLine(download: Download): void {
    const { phase, doneBytes, totalBytes } = download;
    const tenth = totalBytes ? Math.floor((TENTHS * doneBytes) / totalBytes) : -1;
    const key = phase === 'downloading' ? `${tenth}` : phase;
    if (key === this.#lastPrinted) return;
    this.#lastPrinted = key;
    this.#say(`${download.id}: ${toWords(download)}`);
  }
}

/** `1.2 GB of 3.1 GB, 24 MB/s, 1 min 20 s left`. */
export function toWords(download: Download): string {
  const { phase, doneBytes, totalBytes, bytesPerSecond, secondsLeft, problem } = download;
  if (phase === 'waiting' && problem?.reason === 'rate_limited') return problem.message;
  if (phase !== 'downloading') return PHASES[phase];
  const parts = [`${toSize(doneBytes)} of ${toSize(totalBytes ?? 0)}`];
  if (bytesPerSecond !== undefined) parts.push(`${toSize(bytesPerSecond)}/s`);
  if (secondsLeft !== undefined) parts.push(`${toDuration(secondsLeft)} left`);
  return parts.join(', ');
}

function toDuration(seconds: number): string {
  const whole = Math.round(seconds);
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  return `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} min`;
}

/** Below this share of the memory, a model fits in any case. */
const SURELY_FITS = 0.4;

/**
 * Downloads the model to serve if it is a Hugging Face id and not on this machine. Logs a warning if it
 * may be too large.
 * @throws ModelError, InterruptedError
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
  // The launcher reports models that cannot be read.
  return Promise.all(sizes).then(sum, () => 0);
}

function sum(sizes: readonly number[]): number {
  return sizes.reduce((total, size) => total + size, 0);
}
