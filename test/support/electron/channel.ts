import type { ChildProcess } from 'node:child_process';

type Handler = (...args: never[]) => unknown;
type Message =
  | { kind: 'call'; id: number; name: string; args: unknown[] }
  | { kind: 'result'; id: number; value: unknown }
  | { kind: 'error'; id: number; message: string };

/** Function calls in both directions between a test and the process of its app, over Node's IPC. */
export class Channel {
  readonly #end: ChildProcess | NodeJS.Process;
  readonly #handlers: Readonly<Record<string, Handler>>;
  readonly #calls = new Map<number, PromiseWithResolvers<unknown>>();
  #lastId = 0;
  #closed: Error | undefined;

  constructor(end: ChildProcess | NodeJS.Process, handlers: Readonly<Record<string, Handler>>) {
    this.#end = end;
    this.#handlers = handlers;
    end.on('message', (message) => void this.#receive(message as Message));
  }

  /** Rejects with the other side's error, or with the reason of `close`. */
  async call<Result = unknown>(name: string, ...args: unknown[]): Promise<Result> {
    if (this.#closed !== undefined) throw this.#closed;
    const id = ++this.#lastId;
    const call = Promise.withResolvers<unknown>();
    this.#calls.set(id, call);
    this.#send({ kind: 'call', id, name, args });
    return (await call.promise) as Result;
  }

  /** The other side has gone. */
  close(reason: Error): void {
    this.#closed = reason;
    for (const call of this.#calls.values()) call.reject(reason);
  }

  async #receive(message: Message): Promise<void> {
    const { id } = message;
    if (message.kind === 'call') {
      try {
        const value = await this.#handlers[message.name]?.(...(message.args as never[]));
        this.#send({ kind: 'result', id, value });
      } catch (error) {
        this.#send({ kind: 'error', id, message: (error as Error).message });
      }
      return;
    }
    const call = this.#calls.get(id);
    this.#calls.delete(id);
    if (message.kind === 'result') call?.resolve(message.value);
    else call?.reject(new Error(message.message));
  }

  #send(message: Message): void {
    // Fails only if the other side has gone, and then `close` is called.
    if (this.#end.connected) this.#end.send?.(message, undefined, undefined, () => {});
  }
}
