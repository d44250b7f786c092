import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import { answer, image, tooHot, useService } from './fixture.ts';

/** Otherwise LiteLLM downloads its price list. */
const env = { LITELLM_LOCAL_MODEL_COST_MAP: 'True' };
const python = fileURLToPath(new URL('.venv/bin/python', import.meta.url));
const basic = { complete: answer, streamed: answer, follow_up: 'Green.', fits: true };
/** For clients that report usage and can send tool results. */
const full = { ...basic, usage: true, with_tool: answer, after_tool: true };

const clients: [script: string, api: string, expected: object, refusal: string][] = [
  ['langchain_client.py', 'chat', full, tooHot],
  ['langchain_client.py', 'responses', full, tooHot],
  ['litellm_client.py', 'openai', full, tooHot],
  ['litellm_client.py', 'anthropic', full, '`temperature` must be at most 1 (got 3).'],
  ['pydantic_ai_client.py', 'chat', full, tooHot],
  ['pydantic_ai_client.py', 'responses', full, tooHot],
  ['instructor_client.py', 'chat', { ...basic, fits_as_tool: true }, tooHot],
  ['anthropic_client.py', 'anthropic', full, '`max_tokens` must be at least 1 (got 0).'],
];

const service = useService();

for (const [script, api, expected, refusal] of clients) {
  test(`${script} handles answers, streams, objects and errors over ${api}`, async () => {
    const path = fileURLToPath(new URL(script, import.meta.url));
    const baseUrl = api === 'anthropic' ? service.url : `${service.url}/v1`;
    const { stdout } = await execa(python, [path, baseUrl, image, api], { env, timeout: 120_000 });
    const { error, ...rest } = JSON.parse(stdout) as { error: string };
    assert.deepEqual(rest, expected);
    assert.ok(error.includes(refusal), error);
  });
}
