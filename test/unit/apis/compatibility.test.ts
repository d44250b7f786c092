import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';
import type { MessageCreateParamsBase } from '@anthropic-ai/sdk/resources/messages/messages';
import type { ChatCompletionCreateParams } from 'openai/resources/chat/completions';
import type { ResponseCreateParams } from 'openai/resources/responses/responses';
import { compatibilityOf, compatibilityPage } from '../../../scripts/compatibility-table.ts';
import { ChatCompletionRequest } from '../../../server/apis/chat/request.ts';
import { MessagesRequest } from '../../../server/apis/messages/request.ts';
import { ResponsesRequest } from '../../../server/apis/responses/request.ts';

const root = new URL('../../../', import.meta.url);
const schemas = { ChatCompletionRequest, ResponsesRequest, MessagesRequest };

/** The official client's parameters that a schema lacks. tsc checks that there are none. */
type Missing =
  | Exclude<keyof ChatCompletionCreateParams, keyof typeof ChatCompletionRequest.shape>
  | Exclude<keyof ResponseCreateParams, keyof typeof ResponsesRequest.shape>
  | Exclude<keyof MessageCreateParamsBase, keyof typeof MessagesRequest.shape>;
const isComplete: [Missing] extends [never] ? true : Missing = true;

test('the schemas have every parameter of the official clients', () => {
  assert.equal(isComplete, true);
});

test('docs/openai-compatibility.md matches the schemas (npm run docs)', async () => {
  const page = await readFile(new URL('docs/openai-compatibility.md', root), 'utf8');
  assert.equal(page, compatibilityPage());
});

for (const [name, schema] of Object.entries(schemas)) {
  test(`the test named for each parameter of ${name} mentions it`, async () => {
    for (const [parameter, { test: file }] of compatibilityOf(schema)) {
      const text = await readFile(new URL(file, root), 'utf8');
      assert.match(text, new RegExp(`\\b${parameter}\\b`), `${parameter} in ${file}`);
    }
  });
}
