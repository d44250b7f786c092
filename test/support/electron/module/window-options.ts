import type { BrowserWindowConstructorOptions } from 'electron';
import { refuseUnknownKeys } from '../strict.ts';

// What a window may be made with. Beyond size, place, `show` and the preload it changes nothing.
const OPTIONS = [
  'acceptFirstMouse',
  'alwaysOnTop',
  'backgroundColor',
  'closable',
  'focusable',
  'frame',
  'fullscreenable',
  'hasShadow',
  'height',
  'hiddenInMissionControl',
  'maximizable',
  'minimizable',
  'movable',
  'paintWhenInitiallyHidden',
  'resizable',
  'roundedCorners',
  'show',
  'skipTaskbar',
  'title',
  'titleBarStyle',
  'transparent',
  'type',
  'useContentSize',
  'vibrancy',
  'visualEffectState',
  'webPreferences',
  'width',
  'x',
  'y',
] as const;

const WEB_PREFERENCES = [
  'contextIsolation',
  'devTools',
  'disableDialogs',
  'navigateOnDragDrop',
  'nodeIntegration',
  'preload',
  'safeDialogs',
  'sandbox',
  'spellcheck',
  'webSecurity',
  'webviewTag',
] as const;

export const WINDOW_EVENTS = [
  'ready-to-show',
  'show',
  'hide',
  'focus',
  'blur',
  'close',
  'closed',
  // Never emitted here.
  'moved',
  'resized',
];

/** Throws for options that the stand-in does not know, and for windows less safe than they can be. */
export function refuseUnknownOptions(options: BrowserWindowConstructorOptions): void {
  const { webPreferences = {} } = options;
  refuseUnknownKeys('BrowserWindow', options, OPTIONS);
  refuseUnknownKeys('webPreferences', webPreferences, WEB_PREFERENCES);
  const { contextIsolation, sandbox, webSecurity, nodeIntegration, webviewTag } = webPreferences;
  const off = { contextIsolation, sandbox, webSecurity };
  const on = { nodeIntegration, webviewTag };
  for (const [name, value] of Object.entries(off)) {
    if (value === false) throw new TypeError(`the stand-in has no windows without ${name}`);
  }
  for (const [name, value] of Object.entries(on)) {
    if (value === true) throw new TypeError(`the stand-in has no windows with ${name}`);
  }
}
