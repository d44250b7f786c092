import { readFile } from 'node:fs/promises';
import { app, protocol, session } from 'electron';
import { CONTENT_SECURITY_POLICY, isPanelUrl, PANEL_SCHEME, toPanelFile } from './panel.ts';

const CONTENT_TYPES: Readonly<Record<string, string>> = {
  html: 'text/html; charset=utf-8',
  js: 'text/javascript; charset=utf-8',
  css: 'text/css; charset=utf-8',
  svg: 'image/svg+xml',
  png: 'image/png',
};

/**
 * Registers the panel's URL scheme, and blocks navigation, new windows and webviews in every window.
 * Call this before the app is ready.
 */
export function restrictWindows(): void {
  protocol.registerSchemesAsPrivileged([
    { scheme: PANEL_SCHEME, privileges: { standard: true, secure: true } },
  ]);
  app.on('web-contents-created', (_event, contents) => {
    contents.setWindowOpenHandler(() => ({ action: 'deny' }));
    contents.on('will-navigate', (event) => {
      if (!isPanelUrl(event.url)) event.preventDefault();
    });
    contents.on('will-attach-webview', (event) => event.preventDefault());
  });
}

/**
 * Serves the panel's files with a content security policy, and denies every permission request. Call
 * this once the app is ready.
 */
export function servePanel(folder: string): void {
  protocol.handle(PANEL_SCHEME, async ({ url }) => {
    const file = toPanelFile(url, folder);
    const body = file === undefined ? undefined : await readFile(file).catch(() => undefined);
    if (file === undefined || body === undefined) return new Response(null, { status: 404 });
    const type = CONTENT_TYPES[file.slice(file.lastIndexOf('.') + 1)] ?? 'application/octet-stream';
    return new Response(new Uint8Array(body), {
      headers: {
        'content-type': type,
        'content-security-policy': CONTENT_SECURITY_POLICY,
        'x-content-type-options': 'nosniff',
      },
    });
  });
  const { defaultSession } = session;
  defaultSession.setPermissionRequestHandler((_contents, _permission, answer) => answer(false));
  defaultSession.setPermissionCheckHandler(() => false);
}
