import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { execa, type Result } from 'execa';
import { post, question, textOf } from '../../test/support/chat.ts';
import { freePort } from '../../test/support/free-port.ts';
import { drawShape, toDataUrl } from '../../test/support/pictures.ts';

// The macOS workflow runs `node scripts/package/smoke-test.ts out/mac-arm64/Sightglass.app`. Verifies the
// packaged app's signature, starts the app with the demo model, asks about a picture, and verifies the
// signature again: an app that writes to its own bundle invalidates it.

const READY_WITHIN_MS = 120_000;
const ANSWER = 'A red circle on a white background.';
const app = resolve(process.argv[2] ?? 'out/mac-arm64/Sightglass.app');
await verifySignature();

const home = await mkdtemp(join(tmpdir(), 'sightglass-smoke-'));
const port = await freePort();
const modelPath = join(app, 'Contents/Resources/models/demo');
await writeFile(join(home, 'settings.json'), JSON.stringify({ settings: { modelPath, port } }));
const running = execa(
  join(app, 'Contents/MacOS/Sightglass'),
  [
    `--user-data-dir=${home}`,
    // Otherwise macOS would ask the user whether an app that is signed ad hoc may use the keychain.
    '--use-mock-keychain',
  ],
  { stdio: 'inherit', reject: false },
);
try {
  await waitUntilReady();
  const picture = toDataUrl(await drawShape({ shape: 'circle', color: 'red' }), 'image/png');
  const answer = textOf(await post(`http://127.0.0.1:${port}`, question(picture)));
  process.stdout.write(`The packaged app answered: ${answer}\n`);
  if (answer !== ANSWER) throw new Error(`Expected: ${ANSWER}`);
} finally {
  running.kill();
  await running;
  await rm(home, { recursive: true, force: true });
}
await verifySignature();

/** @throws if the signature is not valid */
async function verifySignature(): Promise<void> {
  const stdio = 'inherit';
  await execa('codesign', ['--verify', '--deep', '--strict', '--verbose=2', app], { stdio });
  await execa('codesign', ['--display', '--verbose=2', app], { stdio });
}

/** Polls, because the app does not report when it is ready. */
async function waitUntilReady(): Promise<void> {
  const end = performance.now() + READY_WITHIN_MS;
  let exited: Result | undefined;
  void running.then((result) => {
    exited = result as Result;
  });
  while (performance.now() < end) {
    const health = await fetch(`http://127.0.0.1:${port}/health`).catch(() => undefined);
    if (health?.ok) return;
    if (exited !== undefined) {
      throw new Error(
        `The packaged app exited before it was ready: ${exited.signal ?? `exit code ${exited.exitCode}`}. ` +
          'If macOS killed it immediately, its signature is invalid.',
      );
    }
    await setTimeout(500);
  }
  throw new Error(
    `The packaged app did not listen on port ${port} within ${READY_WITHIN_MS / 1000} s. ` +
      `Did it read its settings from ${home}?`,
  );
}
