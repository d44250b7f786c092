import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import { ClientGoneError } from './client-gone.ts';

/** A client that has not read for so long is taken to be gone: it would hold its stream for ever. */
const STALLED_MS = 300_000;

/** A comment, which every client of Server-Sent Events skips (WHATWG HTML, "event streams"). */
const KEEP_ALIVE = ': keep-alive\n\n';

/** A Server-Sent Events response. Its head leaves with the first event, or comment, not before. */
export class EventStream {
  readonly #response: ServerResponse;
  readonly #signal: AbortSignal;
  readonly #keepAlive: NodeJS.Timeout;
  #waiting = '';
  #isQuiet = true;
  #hasContent = false;

  constructor(response: ServerResponse, signal: AbortSignal, keepAliveMs: number) {
    this.#response = response;
    this.#signal = signal;
    this.#keepAlive = setInterval(() => this.#breakSilence(), keepAliveMs).unref();
  }

  /** Whether the head has left, so that an error can only be an event. */
  get started(): boolean {
    return this.#response.headersSent;
  }

  /** Whether the client has been sent an event. */
  get hasContent(): boolean {
    return this.#hasContent;
  }

  /** Takes events to send with the next flush. */
  add(events: string): void {
    this.#waiting += events;
  }

  /** Sends what was added; waits while a slow client has not taken the earlier events. */
  flush(): Promise<void> | undefined {
    if (this.#waiting === '') return undefined;
    const events = this.#waiting;
    this.#waiting = '';
    return this.#write(events) ? undefined : this.#drained();
  }

  end(events: string): void {
    this.#begin();
    this.#response.end(this.#waiting + events);
    this.close();
  }

  /** Sends no more comments. */
  close(): void {
    clearInterval(this.#keepAlive);
  }

  #write(events: string): boolean {
    this.#begin();
    this.#hasContent = true;
    this.#isQuiet = false;
    return this.#response.write(events);
  }

  async #drained(): Promise<void> {
    const signal = AbortSignal.any([this.#signal, AbortSignal.timeout(STALLED_MS)]);
    try {
      await once(this.#response, 'drain', { signal });
    } catch {
      this.#signal.throwIfAborted();
      this.#response.destroy();
      throw new ClientGoneError();
    }
  }

  #breakSilence(): void {
    if (this.#isQuiet && !this.#response.writableNeedDrain) {
      this.#begin();
      this.#response.write(KEEP_ALIVE);
    }
    this.#isQuiet = true;
  }

  #begin(): void {
    if (this.started) return;
    this.#response.writeHead(200, {
      'content-type': 'text/event-stream; charset=utf-8',
      'cache-control': 'no-cache',
      'x-accel-buffering': 'no',
    });
  }
}
