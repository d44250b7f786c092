import { EventEmitter, once } from 'node:events';
import type { ServerResponse } from 'node:http';
import { setTimeout } from 'node:timers/promises';

const CHUNK_BYTES = 64 * 1024;

/** Slows down, holds or cuts the network at a given byte. */
export class Pace {
  /** Bytes per second of each body. Undefined for no limit. */
  bytesPerSecond: number | undefined;
  readonly #sent = new Map<string, number>();
  readonly #heldAt = new Map<string, number>();
  readonly #open = new Map<string, number>();
  readonly #events = new EventEmitter().setMaxListeners(0);

  /** Resolves once this many bytes of a file have been sent over all requests. */
  async sent(name: string, bytes: number): Promise<void> {
    while (this.total(name) < bytes) await once(this.#events, 'sent');
  }

  /** Sends only this many bytes of a file over all requests, until `release`. */
  hold(name: string, atBytes: number): void {
    this.#heldAt.set(name, atBytes);
  }

  release(): void {
    this.#heldAt.clear();
    this.#events.emit('released');
  }

  /** Resolves once no request for a file is open. */
  async closed(name: string): Promise<void> {
    while ((this.#open.get(name) ?? 0) > 0) await once(this.#events, 'closed');
  }

  /** Bytes of a file that have been sent over all requests. */
  total(name: string): number {
    return this.#sent.get(name) ?? 0;
  }

  /** Writes a body. `breakAt` destroys the connection after this many bytes. */
  async write(
    response: ServerResponse,
    { name, body, breakAt }: { name: string; body: Buffer; breakAt?: number | undefined },
  ): Promise<void> {
    const closed = once(response, 'close').catch(() => {}); // the connection was cut
    this.#open.set(name, (this.#open.get(name) ?? 0) + 1);
    void closed.then(() => {
      this.#open.set(name, (this.#open.get(name) ?? 0) - 1);
      this.#events.emit('closed');
    });
    for (let at = 0; at < body.length && !response.destroyed; at += CHUNK_BYTES) {
      if (breakAt !== undefined && at >= breakAt) {
        response.destroy();
        return;
      }
      if (this.total(name) >= (this.#heldAt.get(name) ?? Infinity)) {
        await Promise.race([once(this.#events, 'released'), closed]);
        if (response.destroyed) return;
      }
      const chunk = body.subarray(at, at + CHUNK_BYTES);
      const goes = response.write(chunk);
      this.#sent.set(name, this.total(name) + chunk.length);
      this.#events.emit('sent');
      if (this.bytesPerSecond !== undefined) {
        const pause = setTimeout((1000 * chunk.length) / this.bytesPerSecond, undefined, {
          ref: false,
        });
        await Promise.race([pause, closed]);
      } else if (!goes) {
        await Promise.race([once(response, 'drain'), closed]);
      }
    }
    response.end();
  }
}
