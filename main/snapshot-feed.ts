import type { Snapshot } from '../server/contract.ts';

/** The shortest time between two snapshots: at most ten a second. */
const SHORTEST_MS = 100;
/** While requests run their tokens grow, without an event for each. */
const WHILE_BUSY_MS = 250;

export interface SnapshotFeedOptions {
  take: () => Snapshot;
  send: (snapshot: Snapshot) => void;
}

/**
 * Sends the panel a snapshot when something has changed, not too often, and none while the panel is
 * hidden. There is no timer while nothing changes.
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

  /** Told when the panel is shown and hidden. */
  setVisible(isVisible: boolean): void {
    if (isVisible === this.#isVisible) return;
    this.#isVisible = isVisible;
    if (isVisible) this.#send();
    else this.#stop();
  }

  /** Told of every change. */
  changed(): void {
    if (this.#isVisible) this.#sendIn(this.#sentAt + SHORTEST_MS - performance.now());
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
      this.#sendIn(WHILE_BUSY_MS);
    }
  }

  #stop(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#dueAt = Number.POSITIVE_INFINITY;
  }
}

/** Calls `act` when told to, the first time at once, then at most every so often. */
export function createThrottle(act: () => void, everyMs: number): () => void {
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
    const waitMs = last + everyMs - performance.now();
    if (waitMs <= 0) run();
    else setTimeout(run, waitMs);
  };
}
