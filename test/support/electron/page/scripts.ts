import { randomUUID } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { stripTypeScriptTypes } from 'node:module';
import { prepareMainWorld } from './main-world.ts';
import { createPort } from './port.ts';
import { runPreload } from './preload-world.ts';
import { createWire } from './wire.ts';

export interface PageScripts {
  /** For the page's own world. */
  main: string;
  /** For the preload's world. */
  preload: string;
  /** The name of the DOM event that tells a page its visibility. */
  visibilityEvent: string;
}

/** What runs in every document of a window before the document's own scripts. */
export function createPageScripts(
  preloadFile: string | undefined,
  startsVisible: boolean,
): PageScripts {
  const [down, up, visibilityEvent] = [randomUUID(), randomUUID(), randomUUID()];
  const text = (value: unknown) => JSON.stringify(value) ?? 'undefined';
  const preload = preloadFile === undefined ? undefined : readPreload(preloadFile);
  // Only the window's own document: frames in it have no preload.
  const inWindow = (script: string) => `if (globalThis === globalThis.top) {${script}}`;
  const port = (outgoing: string, incoming: string) =>
    `(${createPort})(${text(outgoing)}, ${text(incoming)})`;
  return {
    main: inWindow(
      `(${prepareMainWorld})(${port(up, down)}, ${text(visibilityEvent)}, ${startsVisible})`,
    ),
    preload: inWindow(`(${runPreload})(${port(down, up)}, (${createWire})(), ${text(preload)})`),
    visibilityEvent,
  };
}

/** A preload not built yet is taken from its source: `preload.cts` beside `preload.cjs`. */
function readPreload(file: string): { file: string; source: string } {
  if (existsSync(file)) return { file, source: readFileSync(file, 'utf8') };
  const source = file.replace(/\.cjs$/, '.cts');
  if (!existsSync(source)) throw new Error(`There is no preload ${file}.`);
  return { file: source, source: stripTypeScriptTypes(readFileSync(source, 'utf8')) };
}
