import { AtCapacityError } from './errors.ts';
import { MEMORY_RETRY_SECONDS } from './limits.ts';

/**
 * The memory that all requests together may use: bodies being received, waiting requests, and images
 * being loaded. A request that would exceed it is refused with 429.
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

  /** Bytes currently reserved. */
  get used(): number {
    return this.#used;
  }

  /** Applies to later reservations. */
  setMaxBytes(maxBytes: number): void {
    this.#maxBytes = maxBytes;
  }

  /** Creates an empty reservation. Call `release` when the request has ended. */
  reserve(): Reservation {
    return new Reservation((bytes, share) => {
      if (bytes > 0 && this.#used + bytes > this.#maxBytes * share) {
        throw new AtCapacityError('too_many_bytes', MEMORY_RETRY_SECONDS);
      }
      this.#used += bytes;
    });
  }
}

/** One request's share of the budget. */
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
   * Reserves more bytes, provided that no more than `share` (0 to 1) of the budget is then in use.
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

  /** Grows or shrinks to exactly this size. @throws AtCapacityError */
  resize(bytes: number): void {
    this.grow(bytes - this.#bytes);
  }

  /** Returns all bytes to the budget. Calling it again does nothing. */
  release(): void {
    this.shrink(this.#bytes);
    this.#isReleased = true;
  }
}
