/** A sandboxed preload's view of Electron, as far as the app uses it. */
type Require = (name: string) => object;
type Listener = (event: object, ...args: unknown[]) => void;

interface PageWindow extends EventTarget {
  standIn?: (name: string, ...args: unknown[]) => Promise<unknown>;
  document: EventTarget;
  navigator: {
    permissions: Record<string, unknown>;
    mediaDevices?: Record<string, unknown>;
  };
}

/** The script that runs in the page before its own: it emulates Electron and runs the preload. */
export function toPageScript(preload: string): string {
  const run = `(require, module, exports) => {${preload}\n}`;
  return `if (globalThis === globalThis.top) (${emulateElectron})(${run})`;
}

/** Its text runs in the page, so it uses nothing from outside of itself. */
function emulateElectron(runPreload: (require: Require, module: object, exports: object) => void) {
  const page = globalThis as unknown as PageWindow;
  const { standIn: ask } = page;
  if (ask === undefined) throw new Error('The page has no connection to the app.');
  delete page.standIn; // the page must not see it

  const on = (name: string, listen: (detail: never) => void) =>
    page.addEventListener(`stand-in ${name}`, (event) =>
      listen((event as CustomEvent).detail as never),
    );

  const listeners = new Map<string, Set<Listener>>();
  const ipcRenderer = {
    invoke: async (channel: string, ...args: unknown[]) => {
      try {
        return await ask('invoke', channel, ...structuredClone(args));
      } catch (error) {
        throw new Error(`Error invoking remote method '${channel}': ${error}`);
      }
    },
    on: (channel: string, listener: Listener) => {
      listeners.set(channel, (listeners.get(channel) ?? new Set()).add(listener));
      return ipcRenderer;
    },
    off: (channel: string, listener: Listener) => {
      listeners.get(channel)?.delete(listener);
      return ipcRenderer;
    },
  };
  on('message', ({ channel, args }: { channel: string; args: unknown[] }) => {
    for (const listener of listeners.get(channel) ?? []) listener({}, ...args);
  });

  /** Copies a value as the contextBridge does: functions are wrapped, what it cannot copy throws. */
  const cross = (value: unknown): unknown => {
    if (typeof value === 'function') {
      return (...args: unknown[]) => cross(value(...args.map(cross)));
    }
    if (value instanceof Promise) return value.then(cross);
    if (Array.isArray(value)) return value.map(cross);
    if (Object.prototype.toString.call(value) === '[object Object]') {
      return Object.fromEntries(
        Object.entries(value as object).map(([key, item]) => [key, cross(item)]),
      );
    }
    return structuredClone(value);
  };
  const contextBridge = {
    exposeInMainWorld: (name: string, api: unknown) =>
      Object.defineProperty(page, name, { value: Object.freeze(cross(api)), enumerable: true }),
  };
  const require: Require = (name) => {
    if (name === 'electron') return { contextBridge, ipcRenderer };
    throw new Error(`module not found: ${name}`);
  };
  runPreload(require, { exports: {} }, {});

  // A window that was never shown says that it is visible (paintWhenInitiallyHidden).
  let isVisible = true;
  const { Document } = globalThis as unknown as { Document: { prototype: object } };
  Object.defineProperties(Document.prototype, {
    visibilityState: { get: () => (isVisible ? 'visible' : 'hidden') },
    hidden: { get: () => !isVisible },
  });
  on('visibility', (shown: boolean) => {
    if (shown === isVisible) return;
    isVisible = shown;
    page.document.dispatchEvent(new Event('visibilitychange', { bubbles: true }));
  });

  const { permissions, mediaDevices } = page.navigator;
  permissions['query'] = async ({ name }: { name: string }) => ({
    name,
    state: (await ask('checkPermission', name)) ? 'granted' : 'denied',
  });
  if (mediaDevices !== undefined) {
    mediaDevices['getUserMedia'] = async () => {
      if (await ask('requestPermission', 'media')) return {};
      throw new DOMException('Permission denied', 'NotAllowedError');
    };
  }
}
