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

/** What a picture of low detail is scaled to: OpenAI's 512 by 512. */
const LOW_DETAIL_PIXELS = 512 * 512;

/** A picture to load; one of low detail is scaled down further. */
export interface WantedImage {
  url: string;
  isLowDetail?: boolean;
}

/** The only place that resolves a picture a client names, to bytes that the runtime can read. */
export class ImageLoader {
  #rules: ImageRules;
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

  /** Rules for pictures that are asked for from now on. */
  setRules(rules: Partial<ImageRules>): void {
    this.#rules = { ...this.#rules, ...rules };
  }

  /** Throws an ImageError, or the signal's reason once that is aborted. */
  async load(url: string, signal: AbortSignal, isLowDetail = false): Promise<LoadedImage> {
    const within = AbortSignal.any([signal, this.#closing.signal]);
    within.throwIfAborted();
    const source = isDataUrl(url)
      ? readDataUrl(url, this.#rules.maxBytes)
      : { bytes: await fetchImage(url, { rules: this.#rules, resolve: this.#resolve }, within) };
    const header = await readHeader(source.bytes, this.#rules);
    const maxPixels = Math.min(this.#rules.maxPixels, isLowDetail ? LOW_DETAIL_PIXELS : Infinity);
    const convert = () => {
      within.throwIfAborted();
      return convertImage(source, header, { maxPixels });
    };
    const { width, height } = header.stored;
    return abortable(width * height < LARGE_PIXELS ? convert() : this.#afterLarge(convert), within);
  }

  /**
   * Loads the pictures of one request, a repeated one once. The first failure ends the others;
   * the ImageError carries its `index`.
   */
  async loadAll(wanted: readonly WantedImage[], signal: AbortSignal): Promise<LoadedImage[]> {
    const failed = new AbortController();
    const within = AbortSignal.any([signal, failed.signal]);
    const loaded = new Map<string, LoadedImage>();
    const keys = wanted.map(({ url, isLowDetail }) => `${isLowDetail === true} ${url}`);
    const waiting = new Map(keys.map((key, index) => [key, wanted[index]])).entries();
    const work = async () => {
      for (const [key, image] of waiting) {
        if (image === undefined) continue;
        try {
          loaded.set(key, await this.load(image.url, within, image.isLowDetail));
        } catch (error) {
          // Those that end with the first failure bring the same error here.
          if (error instanceof ImageError) error.index ??= keys.indexOf(key);
          failed.abort(error);
          throw error;
        }
      }
    };
    await Promise.all(Array.from({ length: PARALLEL_LOADS }, work));
    return keys.flatMap((key) => loaded.get(key) ?? []);
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
