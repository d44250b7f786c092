import { MEMORY_RETRY_SECONDS } from './limits.ts';
import { AtCapacityError } from './openai/api-error.ts';

/**
 * The memory that all requests together may hold: bodies that are being received, requests that
 * wait, and images that are being loaded. Whoever would exceed it is refused with 429.
 */
export class ByteBudget {
  #maxBytes: number;
  #used = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  get maxBytes(): number {
    return this.#maxBytes;
  }

  /** Bytes that are reserved now. */
  get used(): number {
    return this.#used;
  }

  /** Applies to what is reserved from now on. */
  setMaxBytes(maxBytes: number): void {
    this.#maxBytes = maxBytes;
  }

  /** Begins with nothing. Call `release` when the request has ended. */
  reserve(): Reservation {
    return new Reservation((bytes, share) => {
      if (bytes > 0 && this.#used + bytes > this.#maxBytes * share) {
        throw new AtCapacityError('too_many_bytes', MEMORY_RETRY_SECONDS);
      }
      this.#used += bytes;
    });
  }
}

/** What one request holds of the budget. */
export class Reservation {
  readonly #take: (bytes: number, share: number) => void;
  #bytes = 0;
  #isReleased = false;

  constructor(take: (bytes: number, share: number) => void) {
    this.#take = take;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /**
   * Takes more bytes, as long as no more than `share` (0 to 1) of the budget is in use then.
   * @throws AtCapacityError
   */
  grow(bytes: number, share = 1): void {
    if (this.#isReleased) return; // late work of a request that has ended
    this.#take(bytes, share);
    this.#bytes += bytes;
  }

  shrink(bytes: number): void {
    this.grow(-Math.min(bytes, this.#bytes));
  }

  /** Holds exactly this much from now on. @throws AtCapacityError */
  resize(bytes: number): void {
    this.grow(bytes - this.#bytes);
  }

  /** Gives everything back. Calling it again does nothing. */
  release(): void {
    this.shrink(this.#bytes);
    this.#isReleased = true;
  }
}
