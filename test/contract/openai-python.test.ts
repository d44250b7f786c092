import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import { createRuntimeCommand } from '../../server/runtime/process.ts';
import { drawShape, toDataUrl } from '../support/pictures.ts';
import { resources, startService } from '../support/service.ts';

test('the Python client reads answers, streams, follow-ups and errors', async (t) => {
  const running = await startService();
  t.after(() => running.stop());
  const image = toDataUrl(await drawShape({ shape: 'square', color: 'blue' }), 'image/png');
  const script = fileURLToPath(new URL('openai_client.py', import.meta.url));
  const { python } = createRuntimeCommand(resources);
  const { stdout } = await execa(python, [script, `${running.url}/v1`, image]);
  const answer = 'A blue square on a white background.';
  assert.deepEqual(JSON.parse(stdout), {
    whole: answer,
    finish_reason: 'stop',
    streamed: answer,
    follow_up: 'Blue.',
    error: {
      param: 'temperature',
      message: '`temperature` must be at most 2 (got 3).',
    },
  });
});
