import { mkdir, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Page } from 'playwright-core';
import sharp from 'sharp';
import { endless, post, question, stream } from '../test/support/chat.ts';
import { closeChromium, display } from '../test/support/chromium.ts';
import { freePort } from '../test/support/free-port.ts';
import { HubServer } from '../test/support/hub/hub-server.ts';
import { makeZoo } from '../test/support/model-zoo.ts';
import { drawShape, toDataUrl } from '../test/support/pictures.ts';
import { demoModel } from '../test/support/service.ts';
import { type SightglassApp, showState, startSightglass } from '../test/support/sightglass-app.ts';

// `npm run screenshots`: takes a screenshot of every view of the running app in light and dark mode, with
// the real runtime answering real requests. Writes them to `docs/screenshots`.

const FOLDER = fileURLToPath(new URL('../docs/screenshots', import.meta.url));
const WORK_MS = 150_000;
const png = await drawShape({ shape: 'heart', color: 'green' });
const image = toDataUrl(png, 'image/png');
const long = { ...endless(image), max_tokens: 900 };

display.scale = 2;
await rm(FOLDER, { recursive: true, force: true });
await mkdir(FOLDER, { recursive: true });
await captureFirstStart();
await captureModels();
await captureViews();
await captureFailure();
await closeChromium();
for (const name of await readdir(FOLDER)) await shrink(join(FOLDER, name));

async function captureFirstStart(): Promise<void> {
  await using running = await startSightglass(null);
  const { page } = running;
  await page.getByRole('heading', { name: 'Which model should answer?' }).waitFor();
  await page.getByRole('button', { name: /^Download SmolVLM2/ }).waitFor();
  await page.getByText('Looking…').waitFor({ state: 'detached' });
  await capture(page, 'first-start');
}

/** Shows a check of the demo model, a download from a fake Hub, and models in a fake LM Studio folder. */
async function captureModels(): Promise<void> {
  await using hub = await HubServer.start();
  await hub.add('someone/demo', demoModel);
  hub.pace.bytesPerSecond = 150_000;
  const furnish = (home: string) => makeZoo(join(home, '.lmstudio/models/someone'));
  await using running = await startSightglass({ hubEndpoint: hub.url }, { furnish });
  const { page } = running;
  await showState(running, 'Ready');
  await page.getByRole('tab', { name: 'Models' }).click();
  await page.getByRole('button', { name: 'Check This Model' }).click();
  await page.getByText(/answers were the same/).waitFor();
  await page.getByLabel('or a Hugging Face id').fill('someone/demo');
  await page.locator('form').getByRole('button', { name: 'Download', exact: true }).click();
  await page.getByText(/ left$/).waitFor();
  await scrollTo(page, 'Serving Now');
  await capture(page, 'models');
  await page.getByText(/^Cannot be used/).click();
  await scrollTo(page, 'On This Mac');
  await capture(page, 'models-found');
  await scrollTo(page, 'Get Another');
  await capture(page, 'models-to-get');
}

async function captureViews(): Promise<void> {
  await using running = await startSightglass({ maxConcurrency: 2, port: 8000 });
  const { page } = running;
  await showState(running, 'Ready');
  const load = startLoad(running);
  await page.getByRole('tab', { name: 'Try It' }).click();
  const file = { name: 'heart.png', mimeType: 'image/png', buffer: png };
  await page.locator('input[type=file]').setInputFiles(file);
  await page.getByRole('button', { name: 'Ask', exact: true }).click();
  await page.getByText(/tokens in/).waitFor();
  await capture(page, 'try-it');
  for (const [tab, name] of [
    ['Connect', 'connect'],
    ['Logs', 'logs'],
    ['Settings', 'settings'],
  ] as const) {
    await page.getByRole('tab', { name: tab }).click();
    if (name === 'logs') await page.getByLabel('Filter the log').fill('request');
    await capture(page, name);
  }
  await page.getByRole('tab', { name: 'Overview' }).click();
  await load.mostlyDone;
  await capture(page, 'overview');
  await load.done;
}

async function captureFailure(): Promise<void> {
  const port = await freePort();
  await using first = await startSightglass({ port });
  await showState(first, 'Ready');
  await using second = await startSightglass({ port });
  await showState(second, 'Failed');
  await capture(second.page, 'trouble');
}

/** Scrolls so that a heading is at the top of the view. */
async function scrollTo(page: Page, name: string): Promise<void> {
  await page.getByRole('heading', { name }).evaluate((heading) => {
    heading.scrollIntoView();
    heading.closest('main')?.scrollBy(0, -12);
  });
}

async function capture(page: Page, name: string): Promise<void> {
  for (const colorScheme of ['light', 'dark'] as const) {
    // Reduced motion, so that no transition is captured halfway.
    await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
    await page.screenshot({ path: join(FOLDER, `${name}-${colorScheme}.png`) });
  }
}

/** Sends requests for WORK_MS, like a few apps that use the model at the same time. */
function startLoad({ url }: SightglassApp) {
  const mostlyDone = Promise.withResolvers<void>();
  const end = performance.now() + WORK_MS;
  const client = async (pauseMs: number, body: () => object) => {
    while (performance.now() < end) {
      await post(url, body());
      await new Promise((resolve) => setTimeout(resolve, pauseMs));
    }
  };
  const streamingClient = async () => {
    while (performance.now() < end) {
      for await (const _event of stream(url, long)) void _event;
    }
  };
  setTimeout(mostlyDone.resolve, WORK_MS * 0.8);
  const clients = [
    ...[0, 900, 2500, 4000].map((pause) => client(pause, () => question(image))),
    ...[200, 3000].map((pause) => client(pause, () => ({ ...long, max_tokens: 300 }))),
    streamingClient(),
  ];
  return { mostlyDone: mostlyDone.promise, done: Promise.all(clients) };
}

/** The panel has few colours: a palette reduces the file size to a third. */
async function shrink(path: string): Promise<void> {
  const small = await sharp(path).png({ palette: true, quality: 95, effort: 10 }).toBuffer();
  await sharp(small).toFile(path);
}
