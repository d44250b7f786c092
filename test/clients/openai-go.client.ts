import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import { startService } from '../support/service.ts';
import { answer, image, tooHot } from './fixture.ts';

const cwd = fileURLToPath(new URL('go', import.meta.url));
const { exitCode, stdout: version } = await execa('go', ['version'], { reject: false });
/** The version in go.mod. An older Go would download a newer toolchain. */
const OLDEST_MINOR = 26;
const minor = exitCode === 0 ? Number(/go1\.(\d+)/.exec(version)?.[1] ?? 0) : undefined;
const skip =
  minor === undefined
    ? 'Go is not installed'
    : minor < OLDEST_MINOR && `needs Go 1.${OLDEST_MINOR} or newer (found 1.${minor})`;

test('openai-go handles answers, streams, objects, calls and errors', { skip }, async (t) => {
  const running = await startService();
  t.after(() => running.stop());
  const { stdout } = await execa('go', ['run', '.', `${running.url}/v1`, image], {
    cwd,
    env: { GOTOOLCHAIN: 'local', GOFLAGS: '-mod=readonly' },
    timeout: 240_000,
  });
  assert.deepEqual(JSON.parse(stdout), {
    complete: answer,
    streamed: answer,
    responses: answer,
    fits: true,
    calls: true,
    error: tooHot,
    param: 'temperature',
  });
});
