import { after } from 'node:test';
import {
  type Browser,
  type BrowserContext,
  type BrowserContextOptions,
  chromium,
} from 'playwright-core';
import { findChromium } from '../../scripts/setup-chromium.mjs';

const FLAGS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--disable-background-networking',
];

/** Why pages cannot be opened here, or false. */
export const noChromium =
  findChromium() === undefined ? 'there is no Chromium on this machine' : false;

let browser: Promise<Browser> | undefined;
if (process.env['NODE_TEST_CONTEXT'] !== undefined) after(closeChromium);

/** The pixels per point of the pages; a Mac has 2, which is slower to draw. */
export const display = { scale: 1 };

/** A new profile in the one Chromium of this process. */
export async function openContext(options: BrowserContextOptions): Promise<BrowserContext> {
  browser ??= chromium.launch({ executablePath: findChromium() ?? '', args: FLAGS });
  return (await browser).newContext({ deviceScaleFactor: display.scale, ...options });
}

/** Called by itself at the end of a test file; a script has to call it. */
export async function closeChromium(): Promise<void> {
  await (await browser)?.close();
}
