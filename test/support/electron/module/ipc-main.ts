import { EventEmitter } from 'node:events';
import { refuseUnknown } from '../strict.ts';

type Handler = (event: unknown, ...args: unknown[]) => unknown;

/** Its events are the app's own channels, so every name is right. */
class IpcMain extends EventEmitter {
  readonly #handlers = new Map<string, Handler>();

  handle(channel: string, handler: Handler): void {
    if (this.#handlers.has(channel)) {
      throw new Error(`Attempted to register a second handler for '${channel}'`);
    }
    this.#handlers.set(channel, handler);
  }

  handleOnce(channel: string, handler: Handler): void {
    this.handle(channel, (...all) => {
      this.removeHandler(channel);
      return handler(...all);
    });
  }

  removeHandler(channel: string): void {
    this.#handlers.delete(channel);
  }

  /** What a window asks. Rejects when nobody answers such a question. */
  async answer(channel: string, event: unknown, args: unknown[]): Promise<unknown> {
    const handler = this.#handlers.get(channel);
    if (handler === undefined) throw new Error(`No handler registered for '${channel}'`);
    return await handler(event, ...args);
  }
}

const main = new IpcMain();
/** For the windows of the stand-in; an app sees `ipcMain`. */
export const answerInvoke = main.answer.bind(main);

export const ipcMain = refuseUnknown('ipcMain', {
  handle: main.handle.bind(main),
  handleOnce: main.handleOnce.bind(main),
  removeHandler: main.removeHandler.bind(main),
  on: main.on.bind(main),
  once: main.once.bind(main),
  off: main.off.bind(main),
  addListener: main.addListener.bind(main),
  removeListener: main.removeListener.bind(main),
  removeAllListeners: main.removeAllListeners.bind(main),
  emit: main.emit.bind(main),
});
