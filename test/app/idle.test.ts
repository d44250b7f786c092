import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import { noChromium } from '../support/built-panel.ts';
import { post, question, streamedText } from '../support/chat.ts';
import { PROBE_MARK } from '../support/idle-probe.ts';
import { drawShape, toDataUrl } from '../support/pictures.ts';
import { type SightglassApp, showState, startSightglass } from '../support/sightglass-app.ts';

const image = toDataUrl(await drawShape({ shape: 'circle', color: 'red' }), 'image/png');
const IDLE_MS = 60_000;

interface Probe {
  fired: Record<string, number>;
  cpuMs: number;
}

/** What the probe in the app's process tells. */
async function probe({ app }: SightglassApp): Promise<Probe> {
  const told = () =>
    app
      .output()
      .split('\n')
      .filter((line) => line.startsWith(PROBE_MARK));
  const before = told().length;
  const pid = JSON.parse(
    app
      .output()
      .split('\n')
      .find((line) => line.includes('"pid"')) ?? '{}',
  ).pid;
  process.kill(pid, 'SIGUSR2');
  await app.until(() => told().length > before);
  return JSON.parse(told().at(-1)?.slice(PROBE_MARK.length) ?? '');
}

/** What was due after the request is done: nothing is to be awaited then but that nothing happens. */
async function settled(running: SightglassApp): Promise<Probe> {
  for (let before = await probe(running); ; ) {
    await setTimeout(3000);
    const now = await probe(running);
    if (isDeepStrictEqual(now.fired, before.fired)) return now;
    before = now;
  }
}

test('idle with the panel hidden: no message, no timer, about no CPU', {
  skip: noChromium,
}, async (t) => {
  await using running = await startSightglass({}, { imports: ['test/support/idle-probe.ts'] });
  const { app, page, url } = running;
  await showState(running, 'Ready');
  await post(url, question(image));
  await streamedText(url, question(image)); // a stream has timers of its own
  await page.evaluate(
    'window.told = 0; for (const name of ["snapshot", "log", "answer", "open"]) window.sightglass.on(name, () => { window.told += 1; })',
  );
  await app.blur();
  await app.until(({ windows }) => windows.every(({ isVisible }) => !isVisible));
  const before = await settled(running);
  const toldBefore = await page.evaluate<number>('window.told');
  await setTimeout(IDLE_MS);
  const after = await probe(running);
  const told = (await page.evaluate<number>('window.told')) - toldBefore;
  const cpuMs = after.cpuMs - before.cpuMs;
  t.diagnostic(
    `idle for ${IDLE_MS / 1000} s: ${told} messages, ${cpuMs.toFixed(0)} ms of CPU in the main process ` +
      '(the stand-in’s and its probe’s among them)',
  );
  assert.ok(Object.keys(before.fired).length > 0, 'the probe counts');
  assert.deepEqual({ fired: after.fired, told }, { fired: before.fired, told: 0 });
});
