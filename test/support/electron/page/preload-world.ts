import type { Port } from './port.ts';
import type { createWire } from './wire.ts';

type Listener = (event: object, ...args: unknown[]) => unknown;
/** What main says to a page, and what a page says to main; `text` is a value of the wire. */
export type ToPage =
  | { kind: 'send'; channel: string; text: string }
  | { kind: 'answer'; id: number; text: string }
  | { kind: 'refusal'; id: number; message: string };
export type ToMain =
  | { kind: 'send'; channel: string; text: string }
  | { kind: 'invoke'; id: number; channel: string; text: string }
  | { kind: 'permission'; id: number; name: string }
  | { kind: 'preload failed'; message: string };

/** Where Chromium puts the functions that the stand-in calls in the preload's world, and its own. */
export interface PreloadGlobals {
  standInSend: (message: string) => void;
  standInReceive: (message: ToPage) => void;
}

/**
 * Runs a preload in its own world, with the `require` that a sandboxed one has: electron's
 * contextBridge and ipcRenderer. This function's text runs in pages, so it uses nothing from
 * outside of itself.
 */
export function runPreload(
  port: Port,
  wire: ReturnType<typeof createWire>,
  preload: { file: string; source: string } | undefined,
): void {
  const globals = globalThis as unknown as PreloadGlobals;
  const listeners = new Map<string, Listener[]>();
  const waiters = new Map<
    number,
    { resolve: (value: unknown) => void; reject: (e: Error) => void }
  >();
  let lastId = 0;

  const tellMain = (message: ToMain) => globals.standInSend(JSON.stringify(message));
  const question = (message: (id: number) => ToMain) =>
    new Promise<unknown>((resolve, reject) => {
      const id = ++lastId;
      tellMain(message(id));
      waiters.set(id, { resolve, reject });
    });
  const strict = <Target extends object>(name: string, target: Target): Target =>
    new Proxy(target, {
      get: (_target, key) => {
        if (typeof key === 'symbol' || key in target) return Reflect.get(target, key);
        throw new TypeError(`the stand-in has no ${name}.${key} in a preload`);
      },
    });

  const on = (channel: string, listener: Listener) => {
    listeners.set(channel, [...(listeners.get(channel) ?? []), listener]);
    return ipcRenderer;
  };
  const off = (channel: string, listener: Listener) => {
    const others = listeners.get(channel)?.filter((other) => other !== listener) ?? [];
    listeners.set(channel, others);
    return ipcRenderer;
  };
  const once = (channel: string, listener: Listener) =>
    on(channel, function hear(event, ...args) {
      off(channel, hear);
      return listener(event, ...args);
    });
  const removeAllListeners = (channel: string) => {
    listeners.delete(channel);
    return ipcRenderer;
  };
  const send = (channel: string, ...args: unknown[]) =>
    tellMain({ kind: 'send', channel, text: wire.encode(args) });
  const invoke = async (channel: string, ...args: unknown[]) => {
    const text = wire.encode(args);
    return await question((id) => ({ kind: 'invoke', id, channel, text }));
  };
  const ipcRenderer = strict('ipcRenderer', {
    on,
    addListener: on,
    off,
    removeListener: off,
    once,
    removeAllListeners,
    send,
    invoke,
  });

  const exposed = new Set<string>();
  const exposeInMainWorld = (name: string, value: unknown) => {
    if (exposed.has(name)) {
      throw new Error('Cannot bind an API on top of an existing property on the window object');
    }
    exposed.add(name);
    port.expose(name, value);
  };
  const contextBridge = strict('contextBridge', { exposeInMainWorld });
  const electron = strict('electron', { contextBridge, ipcRenderer });
  const require = (name: string) => {
    if (name === 'electron' || name === 'electron/renderer') return electron;
    throw new Error(`module not found: ${name} (a sandboxed preload has electron only)`);
  };

  globals.standInReceive = (message) => {
    if (message.kind === 'send') {
      const args = wire.decode(message.text) as unknown[];
      for (const listener of listeners.get(message.channel) ?? []) {
        listener({ sender: ipcRenderer }, ...args);
      }
      return;
    }
    const waiter = waiters.get(message.id);
    waiters.delete(message.id);
    if (message.kind === 'answer') waiter?.resolve(wire.decode(message.text));
    else waiter?.reject(new Error(message.message));
  };
  port.expose('stand-in permissions', (name: string) =>
    question((id) => ({ kind: 'permission', id, name })),
  );
  if (preload === undefined) return;
  try {
    const source = `${preload.source}\n//# sourceURL=${preload.file}`;
    new Function('require', 'module', 'exports', source)(require, { exports: {} }, {});
  } catch (error) {
    const { stack } = error as Error;
    tellMain({ kind: 'preload failed', message: `${preload.file}: ${stack}` });
  }
}
