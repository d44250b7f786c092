import type { Snapshot } from '../server/contract.ts';

/** The minimum time between two snapshots. */
const MIN_INTERVAL_MS = 100;
/** While requests run, token counts grow without an event for each. */
const BUSY_INTERVAL_MS = 250;

export interface SnapshotFeedOptions {
  take: () => Snapshot;
  send: (snapshot: Snapshot) => void;
}

/**
 * Sends snapshots to the panel when something changes, at most ten per second, and none while the panel
 * is hidden. No timer runs while nothing changes.
 */
export class SnapshotFeed {
  readonly #options: SnapshotFeedOptions;
  #isVisible = false;
  #timer: NodeJS.Timeout | undefined;
  /** When the timer fires; infinite without one. */
  #dueAt = Number.POSITIVE_INFINITY;
  #sentAt = Number.NEGATIVE_INFINITY;

  constructor(options: SnapshotFeedOptions) {
    this.#options = options;
  }

  /** Call when the panel is shown or hidden. */
  setVisible(isVisible: boolean): void {
    if (isVisible === this.#isVisible) return;
    this.#isVisible = isVisible;
    if (isVisible) this.#send();
    else this.#stop();
  }

  /** Call after every change. */
  changed(): void {
    if (this.#isVisible) this.#sendIn(this.#sentAt + MIN_INTERVAL_MS - performance.now());
  }

  #sendIn(delayMs: number): void {
    const dueAt = performance.now() + Math.max(0, delayMs);
    if (dueAt >= this.#dueAt) return;
    this.#stop();
    this.#dueAt = dueAt;
    this.#timer = setTimeout(() => this.#send(), Math.max(0, delayMs));
  }

  #send(): void {
    this.#stop();
    this.#sentAt = performance.now();
    const snapshot = this.#options.take();
    this.#options.send(snapshot);
    if (snapshot.load.running > 0 || snapshot.load.tokensPerSecond > 0) {
      this.#sendIn(BUSY_INTERVAL_MS);
    }
  }

  #stop(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#dueAt = Number.POSITIVE_INFINITY;
  }
}

/**
 * Returns a throttled `act`: the first call runs it immediately, later ones at most once per `intervalMs`.
 * A call during the wait runs it when the wait ends.
 */
export function createThrottle(act: () => void, intervalMs: number): () => void {
  let last = Number.NEGATIVE_INFINITY;
  let isDue = false;
  const run = () => {
    isDue = false;
    last = performance.now();
    act();
  };
  return () => {
    if (isDue) return;
    isDue = true;
    const waitMs = last + intervalMs - performance.now();
    if (waitMs <= 0) run();
    else setTimeout(run, waitMs);
  };
}
