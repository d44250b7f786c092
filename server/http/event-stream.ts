import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import { ClientGoneError } from './errors.ts';

/** A client that reads nothing for this long is disconnected, so that it cannot hold a stream forever. */
const STALLED_MS = 300_000;

/** A comment, which clients of Server-Sent Events ignore (WHATWG HTML, "event streams"). */
const KEEP_ALIVE = ': keep-alive\n\n';

/** A Server-Sent Events response. Sends its headers with the first event or comment. */
export class EventStream {
  readonly #response: ServerResponse;
  readonly #keepAlive: NodeJS.Timeout;
  #pending = '';
  #isQuiet = true;
  #hasContent = false;

  constructor(response: ServerResponse, keepAliveMs: number) {
    this.#response = response;
    this.#keepAlive = setInterval(() => this.#sendKeepAlive(), keepAliveMs).unref();
  }

  /** Whether the headers have been sent, so an error can only be sent as an event. */
  get started(): boolean {
    return this.#response.headersSent;
  }

  /** Whether an event has been sent. */
  get hasContent(): boolean {
    return this.#hasContent;
  }

  /** Adds events to send with the next flush. */
  add(events: string): void {
    this.#pending += events;
  }

  /**
   * Sends the added events. If the client is slow, waits until it has read earlier ones.
   * @throws the reason of `signal`, or ClientGoneError if the client stops reading
   */
  flush(signal: AbortSignal): Promise<void> | undefined {
    if (this.#pending === '') return undefined;
    const events = this.#pending;
    this.#pending = '';
    return this.#write(events) ? undefined : this.#drained(signal);
  }

  /** Sends the last events. Disconnects the client if it does not read them in time. */
  end(events: string): void {
    this.#sendHeaders();
    this.#response.end(this.#pending + events);
    this.close();
    if (this.#response.writableFinished) return;
    const timer = setTimeout(() => this.#response.destroy(), STALLED_MS).unref();
    this.#response.once('close', () => clearTimeout(timer));
  }

  /** Stops sending keep-alive comments. */
  close(): void {
    clearInterval(this.#keepAlive);
  }

  #write(events: string): boolean {
    this.#sendHeaders();
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

  #sendKeepAlive(): void {
    if (this.#isQuiet && !this.#response.writableNeedDrain) {
      this.#sendHeaders();
      this.#response.write(KEEP_ALIVE);
    }
    this.#isQuiet = true;
  }

  #sendHeaders(): void {
    if (this.started) return;
    this.#response.writeHead(200, {
      'content-type': 'text/event-stream; charset=utf-8',
      'cache-control': 'no-cache',
      'x-accel-buffering': 'no',
    });
  }
}
