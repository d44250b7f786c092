import { EventEmitter } from 'node:events';
import type { Readable, Writable } from 'node:stream';

type Params = Record<string, unknown>;
/** What Chromium sends; its protocol is trusted, so it is not parsed any further. */
// biome-ignore lint/suspicious/noExplicitAny: the shapes are those of the DevTools protocol.
export type Answer = any;

interface Waiter {
  resolve: (answer: Answer) => void;
  reject: (error: Error) => void;
}

/** The DevTools protocol over Chromium's pipe: messages of JSON, each ended by a zero byte. */
export class Connection {
  readonly #input: Writable;
  readonly #waiters = new Map<number, Waiter>();
  readonly #sessions = new Map<string, Session>();
  #rest: Buffer = Buffer.alloc(0);
  #lastId = 0;

  constructor(input: Writable, output: Readable) {
    this.#input = input;
    // Chromium may be gone before us; who waits for an answer is told in #end.
    input.on('error', () => {});
    output.on('data', (bytes: Buffer) => this.#read(bytes));
    output.on('close', () => this.#end());
  }

  /** @throws Error that names the method when Chromium refuses it or is gone */
  send(method: string, params: Params = {}, sessionId?: string): Promise<Answer> {
    const id = ++this.#lastId;
    const { promise, resolve, reject } = Promise.withResolvers<Answer>();
    this.#waiters.set(id, {
      resolve,
      reject: (error) => reject(new Error(`${method}: ${error.message}`)),
    });
    this.#input.write(`${JSON.stringify({ id, method, params, sessionId })}\0`);
    return promise;
  }

  /** A session that was attached to a target. */
  session(sessionId: string): Session {
    const session = new Session(this, sessionId);
    this.#sessions.set(sessionId, session);
    return session;
  }

  #read(bytes: Buffer): void {
    this.#rest = Buffer.concat([this.#rest, bytes]);
    for (let end = this.#rest.indexOf(0); end >= 0; end = this.#rest.indexOf(0)) {
      const message = JSON.parse(this.#rest.toString('utf8', 0, end));
      this.#rest = this.#rest.subarray(end + 1);
      this.#take(message);
    }
  }

  #take({ id, method, params, result, error, sessionId }: Answer): void {
    if (id === undefined) {
      this.#sessions.get(sessionId)?.events.emit(method, params);
      return;
    }
    const waiter = this.#waiters.get(id);
    this.#waiters.delete(id);
    if (error === undefined) waiter?.resolve(result);
    else waiter?.reject(new Error(error.message));
  }

  #end(): void {
    for (const { reject } of this.#waiters.values()) reject(new Error('Chromium has ended.'));
    this.#waiters.clear();
  }
}

/** The protocol as one page speaks it. */
export class Session {
  readonly events = new EventEmitter();
  readonly #connection: Connection;
  readonly #id: string;

  constructor(connection: Connection, id: string) {
    this.#connection = connection;
    this.#id = id;
  }

  send(method: string, params?: Params): Promise<Answer> {
    return this.#connection.send(method, params, this.#id);
  }

  on(event: string, listener: (params: Answer) => void): void {
    this.events.on(event, listener);
  }
}
