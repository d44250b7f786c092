import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import { useService } from './fixture.ts';

const python = fileURLToPath(new URL('.venv/bin/python', import.meta.url));
const suite = fileURLToPath(new URL('standard_tests.py', import.meta.url));
/** LangChain reuses connections between tests, and they belong to the event loop. */
const oneLoop = ['--asyncio-mode=auto', '-o', 'asyncio_default_test_loop_scope=session'];

const service = useService({ allowTextOnly: true }); // the suite asks without pictures, too

for (const api of ['chat', 'responses', 'messages']) {
  test(`LangChain’s standard tests for chat models pass over ${api}`, async () => {
    const { exitCode, all } = await execa(
      python,
      ['-m', 'pytest', '-q', '--tb=line', '-p', 'no:cacheprovider', ...oneLoop, suite],
      {
        env: { SIGHTGLASS_URL: service.url, SIGHTGLASS_API: api, LANGSMITH_TRACING: 'false' },
        all: true,
        reject: false,
        timeout: 240_000,
      },
    );
    assert.equal(exitCode, 0, all);
  });
}
