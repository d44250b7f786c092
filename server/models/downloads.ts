import { readdir, readFile, stat } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';
import { ModelError } from '../problem.ts';
import { hubCache, UNFINISHED } from './places.ts';
import type { ModelsLine, ModelsProgram } from './program.ts';
import type { Download } from './views.ts';

export interface DownloadsOptions {
  program: ModelsProgram;
  /** Read at every start, since the user may have entered a token or a mirror in the meantime. */
  access: () => { token?: string | undefined; endpoint?: string | undefined };
  onChange: () => void;
}

interface Running {
  controller: AbortController;
  arriving: Promise<string>;
}

const NETWORK = {
  reason: 'network',
  message: 'The network is away.',
  remedy: 'It continues automatically when the network is back.',
};

function toRateLimit(seconds: number) {
  return {
    reason: 'rate_limited',
    message: `The Hugging Face Hub has rate-limited this computer for ${Math.ceil(seconds)} s.`,
    remedy: 'The download then continues automatically. A Hugging Face token raises the limit.',
  };
}

/**
 * Downloads of models. A download may be paused, or its process killed, at any time: what has been
 * downloaded stays on disk, and the next start continues from there.
 */
export class Downloads {
  readonly #options: DownloadsOptions;
  readonly #downloads = new Map<string, Download>();
  readonly #running = new Map<string, Running>();

  constructor(options: DownloadsOptions) {
    this.#options = options;
  }

  /** In the order in which they were started. */
  get list(): readonly Download[] {
    return [...this.#downloads.values()];
  }

  /** Lists unfinished downloads as paused. */
  async restore(env?: NodeJS.ProcessEnv): Promise<void> {
    for (const download of await findUnfinished(env)) {
      if (!this.#downloads.has(download.id)) this.#downloads.set(download.id, download);
    }
    this.#options.onChange();
  }

  /**
   * Starts or continues a download. Resolves with the folder of the complete model.
   * @throws ModelError with the reason of a failure, or an AbortError if it is paused
   */
  start(id: string): Promise<string> {
    const running = this.#running.get(id);
    if (running !== undefined && !running.controller.signal.aborted) return running.arriving;
    const controller = new AbortController();
    const arriving = this.#arrive(id, controller.signal, running?.arriving);
    this.#running.set(id, { controller, arriving });
    return arriving;
  }

  /** Stops the download and keeps what has been downloaded. */
  async pause(id: string): Promise<void> {
    const running = this.#running.get(id);
    running?.controller.abort();
    await running?.arriving.catch(() => {}); // reported to the caller that started it
  }

  /** Stops the download and removes what has been downloaded. */
  async cancel(id: string): Promise<void> {
    await this.pause(id);
    await this.#options.program.run({ task: 'discard', request: { id }, onLine: () => {} });
    this.#remove(id);
  }

  /** Pauses all downloads. */
  async close(): Promise<void> {
    await Promise.all([...this.#running.keys()].map((id) => this.pause(id)));
  }

  async #arrive(id: string, signal: AbortSignal, before?: Promise<unknown>): Promise<string> {
    await before?.catch(() => {});
    try {
      const path = await this.#fetch(id, signal);
      this.#remove(id);
      return path;
    } catch (error) {
      this.#set(id, signal.aborted ? { phase: 'paused' } : toFailure(error));
      throw error;
    } finally {
      if (this.#running.get(id)?.controller.signal === signal) this.#running.delete(id);
    }
  }

  async #fetch(id: string, signal: AbortSignal): Promise<string> {
    const { token, endpoint } = this.#options.access();
    const rate = new TransferRate();
    let path: string | undefined;
    const hear = (line: ModelsLine) => {
      if (line.event === 'fetched') path = line.path;
      else this.#hear(id, line, rate);
    };
    this.#set(id, { phase: 'starting' });
    await this.#options.program.run({
      task: 'fetch',
      request: { id, token },
      signal,
      env: endpoint === undefined ? undefined : { HF_ENDPOINT: endpoint },
      onLine: hear,
    });
    if (path === undefined) {
      throw new TypeError('The hub program ended without reporting where the model is.');
    }
    return path;
  }

  #hear(id: string, line: ModelsLine, rate: TransferRate): void {
    switch (line.event) {
      case 'planned':
      case 'progress': {
        const { done_bytes: doneBytes, total_bytes: totalBytes } = line;
        rate.add(doneBytes);
        const { bytesPerSecond } = rate;
        const secondsLeft =
          bytesPerSecond === undefined || bytesPerSecond === 0
            ? undefined
            : (totalBytes - doneBytes) / bytesPerSecond;
        this.#set(id, {
          phase: 'downloading',
          doneBytes,
          totalBytes,
          ...(bytesPerSecond === undefined ? {} : { bytesPerSecond }),
          ...(secondsLeft === undefined ? {} : { secondsLeft }),
        });
        break;
      }
      case 'waiting':
        this.#set(id, {
          phase: 'waiting',
          problem: line.reason === 'rate_limited' ? toRateLimit(line.seconds) : NETWORK,
        });
        break;
      case 'verifying': {
        // While other files are still being downloaded, show that instead.
        const { doneBytes = 0, totalBytes } = this.#downloads.get(id) ?? {};
        if (totalBytes === undefined || doneBytes === totalBytes)
          this.#set(id, { phase: 'verifying' });
        break;
      }
      default:
    }
  }

  /** Keeps the numbers of bytes unless they change. */
  #set(id: string, change: Partial<Download> & Pick<Download, 'phase'>): void {
    const { doneBytes = 0, totalBytes } = this.#downloads.get(id) ?? {};
    const bytes = { doneBytes, ...(totalBytes === undefined ? {} : { totalBytes }) };
    this.#downloads.set(id, { id, ...bytes, ...change });
    this.#options.onChange();
  }

  #remove(id: string): void {
    this.#downloads.delete(id);
    this.#options.onChange();
  }
}

function toFailure(error: unknown): Pick<Download, 'phase' | 'problem'> {
  const problem =
    error instanceof ModelError
      ? error.problem
      : { reason: 'failed', message: String(error), remedy: 'Look at the log, then try again.' };
  return { phase: 'failed', problem };
}

/** The file that `resources/runtime/hub/download.py` keeps beside the downloaded files. */
const Marker = z.object({ id: z.string(), total_bytes: z.number().min(0) });

/** Finds downloads on disk that were paused or whose process was killed. */
export async function findUnfinished(
  env: NodeJS.ProcessEnv = process.env,
  home = homedir(),
): Promise<Download[]> {
  const cache = hubCache(env, home);
  const repositories = await readdir(cache).catch(() => []);
  const found = repositories.map(async (name): Promise<Download[]> => {
    const folder = join(cache, name, UNFINISHED);
    const text = await readFile(join(folder, 'download.json'), 'utf8').catch(() => undefined);
    const marker = text === undefined ? undefined : parse(text);
    if (marker === undefined) return [];
    const { id, total_bytes } = marker;
    const doneBytes = Math.min(await bytesIn(folder), total_bytes);
    return [{ id, phase: 'paused', doneBytes, totalBytes: total_bytes }];
  });
  return (await Promise.all(found)).flat();
}

function parse(text: string): z.infer<typeof Marker> | undefined {
  try {
    return Marker.parse(JSON.parse(text));
  } catch {
    return undefined; // truncated: the download starts over
  }
}

/** Ignores files that another program removes in the meantime. */
async function bytesIn(folder: string): Promise<number> {
  const names = await readdir(folder).catch(() => []);
  const parts = names.filter((name) => /^[0-9a-f]{40}/.test(name));
  const sizes = await Promise.all(
    parts.map((name) =>
      stat(join(folder, name)).then(
        ({ size }) => size,
        () => 0,
      ),
    ),
  );
  return sizes.reduce((sum, size) => sum + size, 0);
}

const WINDOW_MS = 10_000;

/** Measures the speed of a download over the last seconds. Bytes that existed at first do not count. */
export class TransferRate {
  readonly #now: () => number;
  #samples: { at: number; bytes: number }[] = [];

  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
  }

  /** `bytes` is the total so far. */
  add(bytes: number): void {
    const at = this.#now();
    this.#samples.push({ at, bytes });
    // Keep the last sample before the window, so that a slow transfer has two to compare.
    const first = this.#samples.findIndex((sample) => at - sample.at <= WINDOW_MS);
    if (first > 1) this.#samples = this.#samples.slice(first - 1);
  }

  /** Undefined until there are two samples to compare. */
  get bytesPerSecond(): number | undefined {
    const [first, last] = [this.#samples[0], this.#samples.at(-1)];
    if (first === undefined || last === undefined || last.at - first.at < 200) return undefined;
    return Math.max(0, ((last.bytes - first.bytes) / (last.at - first.at)) * 1000);
  }
}
