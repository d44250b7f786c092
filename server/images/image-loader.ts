import sharp from 'sharp';
import { type Resolve, resolveAsSystem } from './checked-lookup.ts';
import { isDataUrl, readDataUrl } from './data-url.ts';
import { convertImage, type LoadedImage } from './image-conversion.ts';
import { ImageError } from './image-error.ts';
import { fetchImage } from './image-fetch.ts';
import { readHeader } from './image-header.ts';
import { DEFAULT_RULES, type ImageRules } from './image-rules.ts';

export type { LoadedImage } from './image-conversion.ts';
export type { ImageRules } from './image-rules.ts';

const PARALLEL_LOADS = 6;
/** From here a picture takes so much memory, 64 MiB and more, that it waits for the others. */
const LARGE_PIXELS = 2 ** 24;

/** The only place that resolves a picture a client names, to bytes that the runtime can read. */
export class ImageLoader {
  readonly #rules: ImageRules;
  readonly #resolve: Resolve;
  readonly #closing = new AbortController();
  #lastLarge: Promise<unknown> = Promise.resolve();

  /** Rules left out have their defaults. `lookup` replaces the system's resolver. */
  constructor(rules: Partial<ImageRules> = {}, { lookup }: { lookup?: Resolve } = {}) {
    this.#rules = { ...DEFAULT_RULES, ...rules };
    this.#resolve = lookup ?? resolveAsSystem;
    // No picture is asked for twice in a row, and none should stay in memory.
    sharp.cache(false);
  }

  /** Throws an ImageError, or the signal's reason once that is aborted. */
  async load(url: string, signal: AbortSignal): Promise<LoadedImage> {
    const within = AbortSignal.any([signal, this.#closing.signal]);
    within.throwIfAborted();
    const source = isDataUrl(url)
      ? readDataUrl(url, this.#rules.maxBytes)
      : { bytes: await fetchImage(url, { rules: this.#rules, resolve: this.#resolve }, within) };
    const header = await readHeader(source.bytes, this.#rules);
    const convert = () => {
      within.throwIfAborted();
      return convertImage(source, header, this.#rules);
    };
    const { width, height } = header.stored;
    return abortable(width * height < LARGE_PIXELS ? convert() : this.#afterLarge(convert), within);
  }

  /**
   * Loads the pictures of one request, a repeated URL once. The first failure ends the others;
   * the ImageError carries its `index`.
   */
  async loadAll(urls: readonly string[], signal: AbortSignal): Promise<LoadedImage[]> {
    const failed = new AbortController();
    const within = AbortSignal.any([signal, failed.signal]);
    const loaded = new Map<string, LoadedImage>();
    const waiting = new Set(urls).values();
    const work = async () => {
      for (const url of waiting) {
        try {
          loaded.set(url, await this.load(url, within));
        } catch (error) {
          // Those that end with the first failure bring the same error here.
          if (error instanceof ImageError) error.index ??= urls.indexOf(url);
          failed.abort(error);
          throw error;
        }
      }
    };
    await Promise.all(Array.from({ length: PARALLEL_LOADS }, work));
    return urls.flatMap((url) => loaded.get(url) ?? []);
  }

  /** Ends what is still being loaded; nothing can be loaded afterwards. */
  async close(): Promise<void> {
    this.#closing.abort(new Error('the image loader is closed'));
    await this.#lastLarge;
  }

  #afterLarge<T>(convert: () => Promise<T>): Promise<T> {
    const turn = this.#lastLarge.then(convert);
    this.#lastLarge = turn.catch(() => {});
    return turn;
  }
}

/** A decode cannot be called back, but nobody has to wait for it. */
async function abortable<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  const abort = () => reject(signal.reason);
  signal.addEventListener('abort', abort, { once: true });
  try {
    return await Promise.race([work, aborted]);
  } finally {
    signal.removeEventListener('abort', abort);
  }
}
