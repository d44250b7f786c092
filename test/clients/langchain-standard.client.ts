import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import { type RunningService, startService } from '../support/service.ts';

const python = fileURLToPath(new URL('.venv/bin/python', import.meta.url));
const suite = fileURLToPath(new URL('standard_tests.py', import.meta.url));
/** LangChain keeps connections from one test to the next, which belong to the event loop. */
const oneLoop = ['--asyncio-mode=auto', '-o', 'asyncio_default_test_loop_scope=session'];

let running: RunningService;
before(async () => {
  running = await startService({ allowTextOnly: true }); // the suite asks without pictures, too
});
after(() => running.stop());

for (const api of ['chat', 'responses', 'messages']) {
  test(`LangChain’s standard tests of a chat model pass over ${api}`, async () => {
    const { exitCode, all } = await execa(
      python,
      ['-m', 'pytest', '-q', '--tb=line', '-p', 'no:cacheprovider', ...oneLoop, suite],
      {
        env: { SIGHTGLASS_URL: running.url, SIGHTGLASS_API: api, LANGSMITH_TRACING: 'false' },
        all: true,
        reject: false,
        timeout: 240_000,
      },
    );
    assert.equal(exitCode, 0, all);
  });
}
