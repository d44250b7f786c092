import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { execa } from 'execa';
import { post, question, textOf } from '../../test/support/chat.ts';
import { freePort } from '../../test/support/free-port.ts';
import { drawShape, toDataUrl } from '../../test/support/pictures.ts';

// For the macOS workflow: opens the packaged app as a person would, with the demo model chosen, and
// asks it about a picture. `node scripts/package/smoke-test.ts out/mac-arm64/Sightglass.app`

const READY_WITHIN_MS = 120_000;
const ANSWER = 'A red circle on a white background.';
const app = resolve(process.argv[2] ?? 'out/mac-arm64/Sightglass.app');
const home = await mkdtemp(join(tmpdir(), 'sightglass-smoke-'));
const port = await freePort();
const modelPath = join(app, 'Contents/Resources/models/demo');
await writeFile(join(home, 'settings.json'), JSON.stringify({ settings: { modelPath, port } }));
const running = execa(join(app, 'Contents/MacOS/Sightglass'), [`--user-data-dir=${home}`], {
  stdio: 'inherit',
  reject: false,
});
try {
  await ready();
  const picture = toDataUrl(await drawShape({ shape: 'circle', color: 'red' }), 'image/png');
  const answer = textOf(await post(`http://127.0.0.1:${port}`, question(picture)));
  process.stdout.write(`The packaged app said: ${answer}\n`);
  if (answer !== ANSWER) process.exitCode = 1;
} finally {
  running.kill();
  await running;
  await rm(home, { recursive: true, force: true });
}

/** The app tells nobody from outside that it is ready: it is asked. */
async function ready(): Promise<void> {
  const end = performance.now() + READY_WITHIN_MS;
  while (performance.now() < end) {
    const health = await fetch(`http://127.0.0.1:${port}/health`).catch(() => undefined);
    if (health?.ok) return;
    await setTimeout(500);
  }
  throw new Error(`The packaged app was not ready in ${READY_WITHIN_MS / 1000} s.`);
}
