import { refuseUnknown } from '../strict.ts';

/** The one frame of a page that has a preload: what an IPC message names as its sender. */
export function createMainFrame(page: { url: () => string; isDestroyed: () => boolean }) {
  return refuseUnknown('webContents.mainFrame', {
    parent: null,
    frames: [],
    processId: 1,
    routingId: 1,
    isDestroyed: page.isDestroyed,
    get url() {
      return page.url();
    },
    get origin() {
      const { protocol, host } = new URL(page.url());
      return `${protocol}//${host}`;
    },
  });
}
