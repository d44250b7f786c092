import { ChangeNotifier, updateMean } from './queue/request-queue.ts';

/** How a request ended, as the log and the panel say it. */
export type Outcome = 'ok' | 'client_gone' | 'cancelled' | (string & {});

/** One request, from its admission to its end. Times are epoch milliseconds. */
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

/** A program whose requests were refused because they have no image. */
export interface TextOnlyClient {
  client: string;
  count: number;
  /** Epoch milliseconds. */
  lastAt: number;
}

/** Clients choose their names: of more than these, the one refused longest ago is forgotten. */
const MAX_TEXT_ONLY_CLIENTS = 50;

/** Why a request ends that a person cancelled. */
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

/** Everything the service is doing and has just done: what the log, the panel and a drain go by. */
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

  /** Streams being served, all of which are running. */
  get streams(): number {
    return [...this.#active.values()].filter(({ record }) => record.stream).length;
  }

  /**
   * About how long until one of the streams being served ends, by how long the last ones took.
   * Before the first has ended, as long again as the oldest has taken. Undefined if there is none.
   */
  nextStreamEndMs(now = Date.now()): number | undefined {
    const ages = [...this.#active.values()].flatMap(({ record }) =>
      record.stream ? [now - record.arrivedAt] : [],
    );
    if (ages.length === 0) return undefined;
    const oldestMs = Math.max(...ages);
    const meanMs = this.#meanStreamMs;
    if (meanMs === undefined) return oldestMs;
    // An overdue one may end at any time: on average, one ends each `meanMs / ages.length`.
    return Math.max(meanMs - oldestMs, meanMs / ages.length);
  }

  /** Requests in flight. */
  get count(): number {
    return this.#active.size;
  }

  /** Tokens generated so far, for all requests there were and are. */
  get tokens(): number {
    return [...this.#active.values()].reduce(
      (sum, { record }) => sum + record.tokens,
      this.#endedTokens,
    );
  }

  /** Calls the listener when requests have come or gone. Returns the unsubscribe. */
  onChange(listener: () => void): () => void {
    return this.#changes.subscribe(listener);
  }

  /** Calls the listener with every request that has ended. Returns the unsubscribe. */
  onEnd(listener: (record: Readonly<RequestRecord>) => void): () => void {
    this.#endListeners.add(listener);
    return () => this.#endListeners.delete(listener);
  }

  /** Calls the listener when a request without an image was refused. Returns the unsubscribe. */
  onTextOnlyRefused(listener: (client: TextOnlyClient) => void): () => void {
    this.#textOnlyListeners.add(listener);
    return () => this.#textOnlyListeners.delete(listener);
  }

  /** The programs whose requests without an image were refused, the latest last. */
  textOnlyClients(): readonly TextOnlyClient[] {
    return [...this.#textOnly.values()];
  }

  /** Counts a request without an image that was refused, and reports it to the hosts. */
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

  /** The last ended requests, the newest first. */
  recent(): readonly Readonly<RequestRecord>[] {
    return this.#recent;
  }

  /** Enters a request; `abort` is what cancels it. */
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

  /** Whether there was such a request to cancel. */
  cancel(id: string): boolean {
    const entry = this.#active.get(id);
    entry?.abort(new RequestCancelledError());
    return entry !== undefined;
  }

  /** Cancels every request; their clients receive `reason`. */
  cancelAll(reason: Error = new RequestCancelledError()): void {
    for (const { abort } of [...this.#active.values()]) abort(reason);
  }

  /** Resolves when no request is left. */
  idle(): Promise<void> {
    if (this.#active.size === 0) return Promise.resolve();
    return new Promise((resolve) => this.#idle.push(resolve));
  }
}
