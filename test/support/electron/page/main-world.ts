import type { Port } from './port.ts';

type Method = (...args: unknown[]) => unknown;
/** The page's global object, as far as this file touches it. */
interface PageWindow extends EventTarget {
  document: EventTarget;
  Document: { prototype: object };
  navigator: Record<string, Record<string, Method> | undefined>;
  Notification?: { requestPermission: Method };
  requestAnimationFrame: (callback: (now: number) => void) => number;
  cancelAnimationFrame: (handle: number) => void;
}

/**
 * Makes a page's own world what it is in Electron: it has what the preload exposes, its visibility
 * is its window's, and it asks main for permissions. Runs before the page's scripts; its text runs
 * in pages, so it uses nothing from outside of itself.
 */
export function prepareMainWorld(port: Port, visibilityEvent: string, startsVisible: boolean) {
  const page = globalThis as unknown as PageWindow;

  port.onExpose((name, value) => {
    if (name === 'stand-in permissions') guardPermissions(value as (name: string) => unknown);
    else Object.defineProperty(page, name, { value: freeze(value), enumerable: true });
  });
  followVisibility();

  function freeze(value: unknown): unknown {
    if (typeof value !== 'object' || value === null) return value;
    for (const item of Object.values(value)) freeze(item);
    return Object.freeze(value);
  }

  function followVisibility() {
    let isVisible = startsVisible;
    let lastHandle = 2 ** 30;
    const held = new Map<number, (now: number) => void>();
    const { requestAnimationFrame, cancelAnimationFrame } = page;
    const define = (name: string, get: () => unknown) =>
      Object.defineProperty(page.Document.prototype, name, { get, configurable: true });
    define('visibilityState', () => (isVisible ? 'visible' : 'hidden'));
    define('hidden', () => !isVisible);
    // A hidden page draws no frames.
    page.requestAnimationFrame = (callback) => {
      if (isVisible) return requestAnimationFrame.call(page, callback);
      held.set(++lastHandle, callback);
      return lastHandle;
    };
    page.cancelAnimationFrame = (handle) => {
      if (!held.delete(handle)) cancelAnimationFrame.call(page, handle);
    };
    page.addEventListener(visibilityEvent, (event) => {
      const { detail } = event as unknown as { detail: boolean };
      if (detail === isVisible) return;
      isVisible = detail;
      page.document.dispatchEvent(new Event('visibilitychange', { bubbles: true }));
      if (!isVisible) return;
      for (const callback of held.values()) requestAnimationFrame.call(page, callback);
      held.clear();
    });
  }

  function guardPermissions(ask: (name: string) => unknown) {
    const guard = (owner: Record<string, Method> | undefined, method: string, name: string) => {
      const original = owner?.[method];
      if (owner === undefined || original === undefined) return;
      owner[method] = async (...args) => {
        if (await ask(name)) return await original.apply(owner, args);
        throw Object.assign(new Error('Permission denied'), { name: 'NotAllowedError' });
      };
    };
    const { mediaDevices, clipboard, geolocation, permissions } = page.navigator;
    guard(mediaDevices, 'getUserMedia', 'media');
    guard(mediaDevices, 'getDisplayMedia', 'display-capture');
    guard(clipboard, 'read', 'clipboard-read');
    guard(clipboard, 'readText', 'clipboard-read');
    const locate = geolocation?.['getCurrentPosition'];
    if (geolocation !== undefined && locate !== undefined) {
      geolocation['getCurrentPosition'] = async (found, failed, options) => {
        if (await ask('geolocation')) locate.call(geolocation, found, failed, options);
        else (failed as Method | undefined)?.({ code: 1, message: 'User denied Geolocation' });
      };
    }
    if (page.Notification !== undefined) {
      page.Notification.requestPermission = async () =>
        (await ask('notifications')) ? 'granted' : 'denied';
    }
    if (permissions !== undefined) {
      permissions['query'] = async (descriptor) => {
        const { name } = descriptor as { name: string };
        return { name, state: (await ask(`check ${name}`)) ? 'granted' : 'denied' };
      };
    }
  }
}
