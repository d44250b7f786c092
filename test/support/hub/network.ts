import { EventEmitter, once } from 'node:events';
import type { ServerResponse } from 'node:http';
import { Pace } from './pace.ts';

/** What happens to one download. */
export type Fault =
  | { kind: 'corrupt' }
  /** `reset`: by a TCP reset, as from a router that forgot the connection; else as by a server that went. */
  | { kind: 'break'; afterBytes: number; reset: boolean };

export interface Delivery {
  /** Whose faults apply, and whose bytes are counted. */
  path: string;
  body: Buffer;
  onSent: (bytes: number) => void;
}

/** What lies between the Hub and who downloads: as slow and as unreliable as a test wants it. */
export class Network {
  readonly pace = new Pace();
  readonly #faults = new Map<string, Fault[]>();
  readonly #sent = new Map<string, number>();
  readonly #events = new EventEmitter().setMaxListeners(0);

  /** One download of the file has one fault, in the order in which they were added. */
  addFault(path: string, fault: Fault): void {
    this.#faults.set(path, [...(this.#faults.get(path) ?? []), fault]);
  }

  /** Resolves once so many bytes of a file have gone, in all its downloads together. */
  async sent(path: string, bytes: number, signal: AbortSignal): Promise<void> {
    while ((this.#sent.get(path) ?? 0) < bytes) await once(this.#events, 'sent', { signal });
  }

  /** Resolves when all has gone, or the client, or the connection. */
  async deliver(response: ServerResponse, { path, body, onSent }: Delivery): Promise<void> {
    const fault = this.#faults.get(path)?.shift();
    const bytes = fault?.kind === 'corrupt' ? corrupt(body) : body;
    const end = fault?.kind === 'break' ? Math.min(fault.afterBytes, body.length) : body.length;
    response.flushHeaders();
    for (let at = 0; at < end; ) {
      const length = await this.pace.next(end - at);
      if (!(await write(response, bytes.subarray(at, at + length)))) return;
      at += length;
      onSent(length);
      this.#sent.set(path, (this.#sent.get(path) ?? 0) + length);
      this.#events.emit('sent');
    }
    if (fault?.kind !== 'break') response.end();
    else if (fault.reset) response.socket?.resetAndDestroy();
    else response.socket?.destroy();
  }
}

/** In the middle, so that only a hash can tell: the head of a file says how it is to be read. */
function corrupt(body: Buffer): Buffer {
  const middle = body.length >> 1;
  const copy = Buffer.from(body);
  copy.set([~(copy[middle] ?? 0) & 0xff], middle);
  return copy;
}

/** Resolves when the system has the bytes; false when the connection is gone. */
function write(response: ServerResponse, bytes: Buffer): Promise<boolean> {
  return new Promise((resolve) => {
    response.write(bytes, (error) => resolve(error === undefined || error === null));
  });
}
