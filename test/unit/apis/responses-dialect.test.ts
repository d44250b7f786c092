import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createResponsesDialect } from '../../../server/apis/responses/dialect.ts';
import { ResponseStore } from '../../../server/apis/responses/store.ts';
import { Bytes, LongText } from '../../../server/long-text.ts';

const dialect = createResponsesDialect(new ResponseStore(1e6));

for (const [value, allowed] of [
  [undefined, true],
  [null, true],
  [true, true],
  [false, false],
] as const) {
  test(`parallel_tool_calls ${value} of Responses means ${allowed}`, () => {
    const extra = value === undefined ? {} : { parallel_tool_calls: value };
    assert.equal(dialect.read({ input: 'Hello', ...extra }).request.parallelToolCalls, allowed);
  });
}

for (const [store, isKept] of [
  [undefined, true],
  [false, false],
] as const) {
  test(`with store ${store}, an image's text is ${isKept ? 'kept' : 'free'} after decoding`, () => {
    const bytes = new Bytes();
    bytes.append(Buffer.from('data:image/png;base64,AAAA'));
    const image_url = new LongText(bytes, true);
    const input = [
      { role: 'user', content: [{ type: 'input_image', image_url }] },
      { type: 'function_call_output', call_id: 'a', output: [{ type: 'input_image', image_url }] },
    ];
    dialect.read({ input, ...(store === undefined ? {} : { store }) });
    image_url.release();
    assert.equal(image_url.length > 0, isKept);
  });
}
