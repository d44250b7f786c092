import { ChangeNotifier, updateMean } from './queue/request-queue.ts';

/** How a request ended, as shown in the log and the panel. Errors have their code. */
export type Outcome = 'ok' | 'client_gone' | 'cancelled' | (string & {});

/** One admitted request. Times are in epoch milliseconds. */
export interface RequestRecord {
  readonly id: string;
  readonly kind: 'vision' | 'text';
  /** Streaming requests do not queue (the seed). */
  readonly stream: boolean;
  readonly client: string;
  readonly arrivedAt: number;
  startedAt?: number;
  firstTokenAt?: number;
  endedAt?: number;
  tokens: number;
  /** JSON paths of fields that had no effect. */
  ignored?: readonly string[];
  outcome?: Outcome;
}

/** A client whose requests were refused because they contained no image. */
export interface TextOnlyClient {
  client: string;
  count: number;
  /** Epoch milliseconds. */
  lastAt: number;
}

/** Clients choose their own names, so only the most recently refused ones are kept. */
const MAX_TEXT_ONLY_CLIENTS = 50;

/** Thrown when a user cancels a request. */
export class RequestCancelledError extends Error {
  override name = 'RequestCancelledError';

  constructor() {
    super('The request was cancelled in Sightglass.');
  }
}

interface Entry {
  record: RequestRecord;
  abort: (reason: Error) => void;
}

/** All requests in flight and the last ones that ended, for the log, the panel, metrics and draining. */
export class Activity {
  readonly #keep: number;
  readonly #active = new Map<string, Entry>();
  readonly #recent: RequestRecord[] = [];
  #endedTokens = 0;
  #meanStreamMs: number | undefined;
  readonly #idle: (() => void)[] = [];
  readonly #changes = new ChangeNotifier();
  readonly #textOnly = new Map<string, TextOnlyClient>();
  readonly #textOnlyListeners = new Set<(client: TextOnlyClient) => void>();
  readonly #endListeners = new Set<(record: Readonly<RequestRecord>) => void>();

  /** @param keep number of ended requests to remember */
  constructor(keep = 100) {
    this.#keep = keep;
  }

  /** Streaming requests in flight. They do not queue, so all of them are running. */
  get streams(): number {
    return [...this.#active.values()].filter(({ record }) => record.stream).length;
  }

  /**
   * Estimates how long it takes until a stream ends, from the mean duration of recent ones; before any
   * has ended, from the age of the oldest. Undefined without a stream.
   */
  nextStreamEndMs(now = Date.now()): number | undefined {
    const ages = [...this.#active.values()].flatMap(({ record }) =>
      record.stream ? [now - record.arrivedAt] : [],
    );
    if (ages.length === 0) return undefined;
    const oldestMs = Math.max(...ages);
    const meanMs = this.#meanStreamMs;
    if (meanMs === undefined) return oldestMs;
    // The oldest may be overdue. On average, one ends every `meanMs / ages.length`.
    return Math.max(meanMs - oldestMs, meanMs / ages.length);
  }

  /** Requests in flight. */
  get count(): number {
    return this.#active.size;
  }

  /** Tokens generated so far, for all past and current requests. */
  get tokens(): number {
    return [...this.#active.values()].reduce(
      (sum, { record }) => sum + record.tokens,
      this.#endedTokens,
    );
  }

  /** Calls the listener when requests have started or ended. Returns the unsubscribe. */
  onChange(listener: () => void): () => void {
    return this.#changes.subscribe(listener);
  }

  /** Calls the listener with each request that ends. Returns the unsubscribe. */
  onEnd(listener: (record: Readonly<RequestRecord>) => void): () => void {
    this.#endListeners.add(listener);
    return () => this.#endListeners.delete(listener);
  }

  /** Calls the listener when a request without an image is refused. Returns the unsubscribe. */
  onTextOnlyRefused(listener: (client: TextOnlyClient) => void): () => void {
    this.#textOnlyListeners.add(listener);
    return () => this.#textOnlyListeners.delete(listener);
  }

  /** Clients whose requests without an image were refused, most recent last. */
  textOnlyClients(): readonly TextOnlyClient[] {
    return [...this.#textOnly.values()];
  }

  /** Records that a request without an image was refused. */
  textOnlyRefused(client: string): void {
    const count = (this.#textOnly.get(client)?.count ?? 0) + 1;
    const refused = { client, count, lastAt: Date.now() };
    this.#textOnly.delete(client);
    this.#textOnly.set(client, refused);
    const [oldest] = this.#textOnly.keys();
    if (this.#textOnly.size > MAX_TEXT_ONLY_CLIENTS && oldest !== undefined) {
      this.#textOnly.delete(oldest);
    }
    for (const listener of this.#textOnlyListeners) listener(refused);
    this.#changes.announce();
  }

  has(id: string): boolean {
    return this.#active.has(id);
  }

  active(): readonly Readonly<RequestRecord>[] {
    return [...this.#active.values()].map(({ record }) => record);
  }

  /** The last requests that ended, newest first. */
  recent(): readonly Readonly<RequestRecord>[] {
    return this.#recent;
  }

  /** Adds a request; `abort` is called to cancel it. */
  begin(
    request: Pick<RequestRecord, 'id' | 'kind' | 'stream' | 'client'>,
    abort: (reason: Error) => void,
  ): RequestRecord {
    const record: RequestRecord = { ...request, arrivedAt: Date.now(), tokens: 0 };
    this.#active.set(record.id, { record, abort });
    this.#changes.announce();
    return record;
  }

  end(record: RequestRecord, outcome: Outcome): void {
    record.endedAt = Date.now();
    record.outcome = outcome;
    if (record.stream && record.firstTokenAt !== undefined) {
      this.#meanStreamMs = updateMean(this.#meanStreamMs, record.endedAt - record.arrivedAt);
    }
    this.#active.delete(record.id);
    this.#endedTokens += record.tokens;
    this.#recent.unshift(record);
    if (this.#recent.length > this.#keep) this.#recent.pop();
    for (const listener of this.#endListeners) listener(record);
    this.#changes.announce();
    if (this.#active.size === 0) for (const resolve of this.#idle.splice(0)) resolve();
  }

  /** Returns whether there is a request with this id. */
  cancel(id: string): boolean {
    const entry = this.#active.get(id);
    entry?.abort(new RequestCancelledError());
    return entry !== undefined;
  }

  /** Cancels all requests; their clients receive `reason`. */
  cancelAll(reason: Error = new RequestCancelledError()): void {
    for (const { abort } of [...this.#active.values()]) abort(reason);
  }

  /** Resolves when no request is in flight. */
  idle(): Promise<void> {
    if (this.#active.size === 0) return Promise.resolve();
    return new Promise((resolve) => this.#idle.push(resolve));
  }
}
