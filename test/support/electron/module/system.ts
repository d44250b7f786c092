import { readFile } from 'node:fs/promises';
import { record } from '../record.ts';
import { refuseUnknown } from '../strict.ts';
import { ClientRequest } from './net-request.ts';

let clipboardText = '';
let opensPaths = '';

export const clipboard = refuseUnknown('clipboard', {
  readText: () => clipboardText,
  writeText: (text: string) => {
    clipboardText = text;
    record('clipboard.writeText', text);
  },
  clear: () => {
    clipboardText = '';
    record('clipboard.clear');
  },
});

export const shell = refuseUnknown('shell', {
  openExternal: async (url: string) => record('shell.openExternal', url),
  /** Resolves with an error in words, or nothing. */
  openPath: async (path: string) => {
    record('shell.openPath', path);
    return opensPaths;
  },
  showItemInFolder: (path: string) => record('shell.showItemInFolder', path),
  beep: () => record('shell.beep'),
});

/** What `shell.openPath` answers from now on; empty for success. */
export function setOpenPathError(message: string): void {
  opensPaths = message;
}

export const net = refuseUnknown('net', {
  isOnline: () => true,
  request: (options: ConstructorParameters<typeof ClientRequest>[0]) => new ClientRequest(options),
  /** Files only: no test reaches the network through the app's windows or their session. */
  async fetch(url: string): Promise<Response> {
    if (!url.startsWith('file:')) throw new TypeError(`the stand-in has no net.fetch of ${url}`);
    return new Response(new Uint8Array(await readFile(new URL(url))));
  },
});
