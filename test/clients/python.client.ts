import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import { type RunningService, startService } from '../support/service.ts';
import { answer, image, tooHot } from './picture.ts';

/** LiteLLM fetches its list of prices otherwise. */
const env = { LITELLM_LOCAL_MODEL_COST_MAP: 'True' };
const python = fileURLToPath(new URL('.venv/bin/python', import.meta.url));
const said = { whole: answer, streamed: answer, follow_up: 'Green.', fits: true };
/** Of those that tell of their usage, and that let a caller send back what a tool said. */
const more = { ...said, usage: true, with_tool: answer, after_tool: true };

const clients: [script: string, api: string, expected: object, refusal: string][] = [
  ['langchain_client.py', 'chat', more, tooHot],
  ['langchain_client.py', 'responses', more, tooHot],
  ['litellm_client.py', 'openai', more, tooHot],
  ['litellm_client.py', 'anthropic', more, '`temperature` must be at most 1 (got 3).'],
  ['pydantic_ai_client.py', 'chat', more, tooHot],
  ['pydantic_ai_client.py', 'responses', more, tooHot],
  ['instructor_client.py', 'chat', { ...said, fits_as_tool: true }, tooHot],
  ['anthropic_client.py', 'anthropic', more, '`max_tokens` must be at least 1 (got 0).'],
];

let running: RunningService;
before(async () => {
  running = await startService();
});
after(() => running.stop());

for (const [script, api, expected, refusal] of clients) {
  test(`${script} reads answers, streams, objects and errors of ${api}`, async () => {
    const path = fileURLToPath(new URL(script, import.meta.url));
    const baseUrl = api === 'anthropic' ? running.url : `${running.url}/v1`;
    const { stdout } = await execa(python, [path, baseUrl, image, api], { env, timeout: 120_000 });
    const { error, ...rest } = JSON.parse(stdout) as { error: string };
    assert.deepEqual(rest, expected);
    assert.ok(error.includes(refusal), error);
  });
}
