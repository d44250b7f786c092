import { SingleBar } from 'cli-progress';
import type { Download } from '../models/model-views.ts';
import { toSize } from './model-text.ts';

/** How often a line is written when nobody watches a bar. */
const TENTHS = 10;

const PHASES: Readonly<Record<Download['phase'], string>> = {
  starting: 'asking the Hub',
  downloading: '',
  waiting: 'no network; it continues automatically',
  verifying: 'checking the files',
  paused: 'paused',
  failed: 'failed',
};

/** Says a line where there is no terminal. */
export type Say = (line: string) => void;

/** Tells of a download: a bar on a terminal, else a plain line for every tenth of it. */
export class DownloadProgress {
  readonly #say: Say;
  readonly #bar: SingleBar | undefined;
  #told = '';

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
    if (key === this.#told) return;
    this.#told = key;
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
