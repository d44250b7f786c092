import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { chmodSync, cpSync, mkdtempSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../../..', import.meta.url));
const NOBODY = 65_534;

test('a checkout that cannot be written to is explained, without a stack trace (C11)', (t) => {
  const checkout = realpathSync(mkdtempSync(join(tmpdir(), 'sightglass-read-only-')));
  t.after(() => {
    spawnSync('chmod', ['-R', 'u+w', checkout]);
    rmSync(checkout, { recursive: true });
  });
  const setup = ['setup', 'setup-chromium', 'setup-lock', 'setup-node', 'setup-node-modules'];
  const python = ['setup-python', 'setup-python-settings', 'setup-runtime'];
  for (const name of [...setup, ...python, 'setup-stamp', 'setup-step']) {
    cpSync(join(root, `scripts/${name}.mjs`), join(checkout, `scripts/${name}.mjs`));
  }
  for (const name of ['package.json', 'package-lock.json', 'resources/runtime/requirements.txt']) {
    cpSync(join(root, name), join(checkout, name));
  }
  spawnSync('chmod', ['-R', 'a-w,a+rX', checkout]);
  chmodSync(checkout, 0o555);
  // Root may write anywhere, so that it runs setup as somebody else.
  const asNobody = process.getuid?.() === 0 ? { uid: NOBODY, gid: NOBODY } : {};
  const args = [join(checkout, 'scripts/setup.mjs')];
  const { error, status, stderr } = spawnSync(process.execPath, args, {
    cwd: checkout,
    encoding: 'utf8',
    ...asNobody,
  });
  if (error !== undefined)
    return t.skip(`another user cannot run ${process.execPath}: ${error.message}`);
  assert.deepEqual(
    [status, stderr.trim()],
    [
      1,
      `Setup cannot write ${checkout}/resources/runtime/.setup (EACCES). You do not have permission. ` +
        'Change the owner of the folder, or clone Sightglass into a folder that you own, then run this again.',
    ],
  );
});
