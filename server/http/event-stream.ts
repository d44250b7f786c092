import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import type { ApiError } from '../openai/api-error.ts';
import { ClientGoneError } from './client-gone.ts';

/** A client that has not read for so long is taken to be gone: it would hold its stream for ever. */
const STALLED_MS = 300_000;

/** A Server-Sent Events response. Its head leaves with the first event, not before. */
export class EventStream {
  readonly #response: ServerResponse;
  readonly #signal: AbortSignal;

  constructor(response: ServerResponse, signal: AbortSignal) {
    this.#response = response;
    this.#signal = signal;
  }

  /** Whether the client has been sent anything, so that an error can only be an event. */
  get started(): boolean {
    return this.#response.headersSent;
  }

  /** Sends events; waits while a slow client has not taken the earlier ones. */
  async write(events: string): Promise<void> {
    if (!this.started) this.#begin();
    if (this.#response.write(events)) return;
    const signal = AbortSignal.any([this.#signal, AbortSignal.timeout(STALLED_MS)]);
    try {
      await once(this.#response, 'drain', { signal });
    } catch {
      this.#signal.throwIfAborted();
      this.#response.destroy();
      throw new ClientGoneError();
    }
  }

  end(events: string): void {
    if (!this.started) this.#begin();
    this.#response.end(events);
  }

  /** Ends a stream that has begun with one error event. */
  fail(error: ApiError): void {
    this.#response.end(`data: ${JSON.stringify({ error: error.toBody().error })}\n\n`);
  }

  #begin(): void {
    this.#response.writeHead(200, {
      'content-type': 'text/event-stream; charset=utf-8',
      'cache-control': 'no-cache',
      'x-accel-buffering': 'no',
    });
  }
}
