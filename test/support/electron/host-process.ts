import type { ChildProcess } from 'node:child_process';
import { EventEmitter, once } from 'node:events';
import type { FromHost, ToHost } from './host-messages.ts';

/** A test's side of the process that an app runs in. */
export class HostProcess {
  /** Resolves when the app is ready, with where Chromium can be reached. */
  readonly started: Promise<string>;
  readonly exitCode: Promise<number | null>;
  readonly #child: ChildProcess;
  readonly #events = new EventEmitter().setMaxListeners(0);
  readonly #waiters = new Map<number, PromiseWithResolvers<unknown>>();
  #output = '';
  #lastId = 0;
  #hasEnded = false;

  constructor(child: ChildProcess) {
    this.#child = child;
    child.stdout?.setEncoding('utf8').on('data', (text) => this.#write(text));
    child.stderr?.setEncoding('utf8').on('data', (text) => this.#write(text));
    const started = Promise.withResolvers<string>();
    this.started = started.promise;
    child.on('message', (message: FromHost) => {
      if (message.kind === 'started') started.resolve(message.endpoint);
      else this.#take(message);
    });
    // `close` and not `exit`: by then all of its output has come.
    this.exitCode = new Promise((resolve) => {
      child.once('close', (code) => {
        this.#hasEnded = true;
        started.reject(this.#ended());
        for (const waiter of this.#waiters.values()) waiter.reject(this.#ended());
        this.#events.emit('changed');
        resolve(code);
      });
    });
    // Whoever waits for it is told; nobody has to.
    this.started.catch(() => {});
  }

  get output(): string {
    return this.#output;
  }

  /** Rejects with what the app's process refused, or with its output when it has ended. */
  ask(action: string, args: unknown[]): Promise<unknown> {
    if (this.#hasEnded) return Promise.reject(this.#ended());
    const id = ++this.#lastId;
    const waiter = Promise.withResolvers<unknown>();
    this.#waiters.set(id, waiter);
    const message: ToHost = { id, action, args };
    // A process that takes no message has ended: its `close` tells us why.
    this.#child.send(message, () => {});
    return waiter.promise;
  }

  /** Resolves at the next change of the app's state. */
  async change(signal: AbortSignal): Promise<void> {
    await once(this.#events, 'changed', { signal });
  }

  /** Resolves when it has ended: by itself, or killed when it does not in time. */
  async end(timeoutMs: number): Promise<void> {
    // Not disconnect(): after that Node never tells that the child has closed.
    this.ask('exit', []).catch(() => {});
    const patience = setTimeout(() => void this.kill(), timeoutMs);
    await this.exitCode;
    clearTimeout(patience);
  }

  async kill(): Promise<void> {
    this.#child.kill('SIGKILL');
    await this.exitCode;
  }

  #take(message: Exclude<FromHost, { kind: 'started' }>): void {
    if (message.kind === 'changed') this.#events.emit('changed');
    else if (message.kind === 'answer') this.#settle(message.id)?.resolve(message.value);
    else this.#settle(message.id)?.reject(new Error(message.message));
  }

  #settle(id: number): PromiseWithResolvers<unknown> | undefined {
    const waiter = this.#waiters.get(id);
    this.#waiters.delete(id);
    return waiter;
  }

  #write(text: string): void {
    this.#output += text;
    this.#events.emit('changed');
  }

  #ended(): Error {
    const { exitCode, signalCode } = this.#child;
    return new Error(`The app has ended (${signalCode ?? exitCode}).\n${this.#output}`);
  }
}
