import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import { ClientGoneError } from './errors.ts';

/** A client that has not read for so long is taken to be gone: it would hold its stream for ever. */
const STALLED_MS = 300_000;

/** A comment, which every client of Server-Sent Events skips (WHATWG HTML, "event streams"). */
const KEEP_ALIVE = ': keep-alive\n\n';

/** A Server-Sent Events response. Its head leaves with the first event, or comment, not before. */
export class EventStream {
  readonly #response: ServerResponse;
  readonly #keepAlive: NodeJS.Timeout;
  #waiting = '';
  #isQuiet = true;
  #hasContent = false;

  constructor(response: ServerResponse, keepAliveMs: number) {
    this.#response = response;
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

  /**
   * Sends the added events; waits until a slow client has taken the earlier ones.
   * @throws the reason of `signal`, or ClientGoneError when the client has stopped reading
   */
  flush(signal: AbortSignal): Promise<void> | undefined {
    if (this.#waiting === '') return undefined;
    const events = this.#waiting;
    this.#waiting = '';
    return this.#write(events) ? undefined : this.#drained(signal);
  }

  /** Sends the last events. Disconnects a client that does not take them in time. */
  end(events: string): void {
    this.#begin();
    this.#response.end(this.#waiting + events);
    this.close();
    if (this.#response.writableFinished) return;
    const timer = setTimeout(() => this.#response.destroy(), STALLED_MS).unref();
    this.#response.once('close', () => clearTimeout(timer));
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

  async #drained(signal: AbortSignal): Promise<void> {
    const stalled = new AbortController();
    const timer = setTimeout(() => stalled.abort(), STALLED_MS);
    try {
      await once(this.#response, 'drain', { signal: AbortSignal.any([signal, stalled.signal]) });
    } catch {
      signal.throwIfAborted();
      this.#response.destroy();
      throw new ClientGoneError();
    } finally {
      clearTimeout(timer);
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
