import { createHash } from 'node:crypto';
import { setImmediate as nextTurn } from 'node:timers/promises';
import sharp from 'sharp';
import {
  LARGE_IMAGE_LANE,
  MAX_DOWNLOADS,
  PARALLEL_LOADS,
  SMALL_IMAGE_BYTES,
  SMALL_IMAGE_LANE,
} from '../limits.ts';
import { LongText } from '../long-text.ts';
import { createResolve, type Resolve } from './address.ts';
import { convertImage, createSlowError, type LoadedImage } from './conversion.ts';
import { fetchImage, type ImageMemory } from './fetch.ts';
import { readHeader } from './header.ts';
import { DEFAULT_RULES, ImageError, type ImageRules } from './rules.ts';
import { isDataUrl, readDataUrl } from './url.ts';

export type { LoadedImage } from './conversion.ts';
export type { ImageMemory } from './fetch.ts';
export type { ImageRules } from './rules.ts';

/** Size of a low-detail image, as in OpenAI's API: 512 by 512. */
const LOW_DETAIL_PIXELS = 512 * 512;

/** An image to load; one of low detail is scaled down further. */
export interface WantedImage {
  url: string | LongText;
  isLowDetail?: boolean;
}

/** The client, for taking turns, and where to count the memory of its images. */
export interface ImageClient {
  client: string;
  memory: ImageMemory;
}

const UNLIMITED: ImageClient = { client: '', memory: { grow: () => {}, shrink: () => {} } };

/**
 * The only place that turns an image URL from a client into bytes that the runtime can read. All
 * requests share its limits on downloads and decoders, and clients take turns.
 */
export class ImageLoader {
  #rules: ImageRules;
  #resolve: Resolve;
  readonly #givenResolve: Resolve | undefined;
  readonly #closing = new AbortController();
  readonly #downloads = new FairSlots(MAX_DOWNLOADS);
  readonly #small = new FairSlots(SMALL_IMAGE_LANE);
  readonly #large = new FairSlots(LARGE_IMAGE_LANE);
  readonly #decoding = new Set<Promise<unknown>>();

  /** Omitted rules have their defaults. `lookup` replaces the system's resolver. */
  constructor(rules: Partial<ImageRules> = {}, { lookup }: { lookup?: Resolve } = {}) {
    this.#rules = { ...DEFAULT_RULES, ...rules };
    this.#givenResolve = lookup;
    this.#resolve = lookup ?? createResolve(this.#rules.allowPrivateUrls);
    // Images are rarely requested twice, and none should stay in memory.
    sharp.cache(false);
  }

  /** Applies to images that are requested from now on. */
  setRules(rules: Partial<ImageRules>): void {
    this.#rules = { ...this.#rules, ...rules };
    this.#resolve = this.#givenResolve ?? createResolve(this.#rules.allowPrivateUrls);
  }

  /** @throws ImageError, what the client's memory throws at its limit, or the signal's reason */
  async load(
    url: string | LongText,
    signal: AbortSignal,
    isLowDetail = false,
    owner: ImageClient = UNLIMITED,
  ): Promise<LoadedImage> {
    const combined = AbortSignal.any([signal, this.#closing.signal]);
    combined.throwIfAborted();
    const bytes = await this.#read(url, combined, owner);
    const rules = this.#rules;
    const { client } = owner;
    const header = await this.#decode(this.#small, client, combined, () =>
      readHeader(bytes, rules),
    );
    const maxPixels = Math.min(rules.maxPixels, isLowDetail ? LOW_DETAIL_PIXELS : Infinity);
    const lane = header.neededBytes <= SMALL_IMAGE_BYTES ? this.#small : this.#large;
    const image = await this.#decode(lane, client, combined, () =>
      convertImage(bytes, header, { ...rules, maxPixels }),
    );
    owner.memory.grow(image.dataUrl.bytes.length - bytes.length);
    return image;
  }

  /**
   * Loads the images of one request, repeated ones once. The first failure aborts the others; an
   * ImageError carries the `index` of its image.
   */
  async loadAll(
    wanted: readonly WantedImage[],
    signal: AbortSignal,
    owner: ImageClient = UNLIMITED,
  ): Promise<LoadedImage[]> {
    const failed = new AbortController();
    const combined = AbortSignal.any([signal, failed.signal]);
    const loaded = new Map<string, LoadedImage>();
    const keys: string[] = [];
    for (const { url, isLowDetail } of wanted)
      keys.push(`${isLowDetail === true} ${await keyOf(url)}`);
    const waiting = new Map(keys.map((key, index) => [key, wanted[index]])).entries();
    const work = async () => {
      for (const [key, image] of waiting) {
        if (image === undefined) continue;
        try {
          loaded.set(key, await this.load(image.url, combined, image.isLowDetail, owner));
        } catch (error) {
          // The others are aborted with the first error, and end up here with it.
          if (error instanceof ImageError) error.index ??= keys.indexOf(key);
          failed.abort(error);
          throw error;
        }
      }
    };
    await Promise.all(Array.from({ length: PARALLEL_LOADS }, work));
    // All are decoded, so their texts are no longer needed.
    for (const { url } of wanted) if (url instanceof LongText) owner.memory.shrink(url.release());
    return keys.flatMap((key) => loaded.get(key) ?? []);
  }

  /** Aborts all loading. Nothing can be loaded afterwards. */
  async close(): Promise<void> {
    this.#closing.abort(new Error('the image loader is closed'));
    await Promise.allSettled(this.#decoding);
  }

  async #read(
    url: string | LongText,
    signal: AbortSignal,
    { client, memory }: ImageClient,
  ): Promise<Buffer> {
    const rules = this.#rules;
    if (!isDataUrl(url)) {
      const options = { rules, resolve: this.#resolve, memory };
      // If it is too long for a URL, its first slice is enough to refuse it.
      const [text = ''] = typeof url === 'string' ? [url] : url.slices();
      return this.#downloads.run(client, signal, () => fetchImage(String(text), options, signal));
    }
    memory.grow(Math.floor((url.length / 4) * 3));
    return readDataUrl(url, rules.maxBytes);
  }

  /**
   * Decodes in a lane. The slot is held until the decoder has actually stopped, which may be some time
   * after a timeout or abort; the caller does not wait for that.
   */
  async #decode<T>(
    lane: FairSlots,
    client: string,
    signal: AbortSignal,
    work: () => Promise<T>,
  ): Promise<T> {
    const { decodeSeconds } = this.#rules;
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    let timer: NodeJS.Timeout | undefined;
    const decoding = lane.run(client, signal, () => {
      // sharp has its own timeout error; the extra second lets it come first.
      const slow = () => reject(createSlowError(decodeSeconds));
      timer = setTimeout(slow, (decodeSeconds + 1) * 1000);
      return work();
    });
    this.#decoding.add(decoding);
    decoding.then(resolve, reject).finally(() => this.#decoding.delete(decoding));
    const abort = () => reject(signal.reason);
    signal.addEventListener('abort', abort, { once: true });
    try {
      return await promise;
    } finally {
      clearTimeout(timer);
      signal.removeEventListener('abort', abort);
    }
  }
}

/** The same key for the same URL. A long one is hashed, without copying it. */
async function keyOf(url: string | LongText): Promise<string> {
  if (typeof url === 'string') return url;
  const hash = createHash('sha256');
  for (const slice of url.slices()) {
    hash.update(slice);
    await nextTurn();
  }
  return hash.digest('hex');
}

/**
 * Limits how much work runs at once. Clients take turns, so that one with a hundred images does not
 * keep a client with one image waiting behind them all.
 */
export class FairSlots {
  #free: number;
  /** Waiting work by client, in the order of their turns. */
  readonly #waiting = new Map<string, Set<() => void>>();

  constructor(slots: number) {
    this.#free = slots;
  }

  /**
   * Runs the work once a slot is free, and frees the slot when it ends.
   * @throws the signal's reason if that fires before the work has started
   */
  async run<T>(client: string, signal: AbortSignal, work: () => Promise<T>): Promise<T> {
    await this.#enter(client, signal);
    try {
      return await work();
    } finally {
      this.#free += 1;
      this.#startNext();
    }
  }

  async #enter(client: string, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    if (this.#free > 0) {
      this.#free -= 1;
      return;
    }
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const line = this.#waiting.get(client) ?? new Set();
    this.#waiting.set(client, line.add(resolve));
    const leave = () => {
      line.delete(resolve);
      if (line.size === 0 && this.#waiting.get(client) === line) this.#waiting.delete(client);
      reject(signal.reason);
    };
    signal.addEventListener('abort', leave, { once: true });
    try {
      await promise;
    } finally {
      signal.removeEventListener('abort', leave);
    }
  }

  #startNext(): void {
    const [turn] = this.#waiting;
    if (turn === undefined) return;
    const [client, line] = turn;
    const [start] = line;
    this.#waiting.delete(client);
    if (start === undefined) return;
    line.delete(start);
    if (line.size > 0) this.#waiting.set(client, line); // behind the others
    this.#free -= 1;
    start();
  }
}
