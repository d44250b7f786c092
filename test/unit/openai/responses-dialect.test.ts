import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ResponseStore } from '../../../server/openai/response-store.ts';
import { createResponsesDialect } from '../../../server/openai/responses-dialect.ts';

const dialect = createResponsesDialect(new ResponseStore(1e6));

for (const [asked, allowed] of [
  [undefined, true],
  [null, true],
  [true, true],
  [false, false],
] as const) {
  test(`parallel_tool_calls ${asked} of Responses means ${allowed}`, () => {
    const extra = asked === undefined ? {} : { parallel_tool_calls: asked };
    assert.equal(dialect.read({ input: 'Hello', ...extra }).request.parallelToolCalls, allowed);
  });
}
