import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { prepareSchema } from '../../server/generation/schema.ts';
import { postTo } from '../support/api.ts';
import { post, question } from '../support/chat.ts';
import { drawShape, toDataUrl } from '../support/pictures.ts';
import { problems, schemas, ways } from '../support/schemas/field-schemas.ts';
import { type RunningService, startService } from '../support/service.ts';

const image = toDataUrl(await drawShape({ shape: 'circle', color: 'red' }), 'image/png');
let running: RunningService;
before(async () => {
  running = await startService({ maxConcurrency: 4 });
});
after(() => running.stop());

for (const field of schemas) {
  test(`keywords that are not enforced are reported: ${field.name}`, () => {
    const { ignored } = prepareSchema(field.schema, { path: 's', param: 's', strict: false });
    const expected = (field.ignored ?? []).map((path) => `s.${path}`);
    assert.deepEqual([...ignored].sort(), expected.sort());
  });
}

/** Every third of the schemas, which together fit into the demo model’s context. */
const third = (first: number) => schemas.filter((_, at) => at % 3 === first);

// `field-schemas.long.ts` tries all of them in all ways.
for (const [index, [what, ask]] of Object.entries(ways).entries()) {
  test(`${what} every sixth of the schemas matches it and completes`, async () => {
    const sixth = schemas.filter((_, at) => at % 6 === index);
    assert.deepEqual(await problems(running.url, ask, sixth), []);
  });
}

test('every API accepts all of the schemas as tools', async () => {
  const source = { type: 'url', url: image };
  const content = [{ type: 'image', source }];
  const input = [{ role: 'user', content: [{ type: 'input_image', image_url: image }] }];
  for (const first of [0, 1, 2]) {
    const called = third(first).map(({ schema }, at) => ({ name: `t${at}`, parameters: schema }));
    const answers = [
      await post(
        running.url,
        question(image, {
          tools: called.map((each) => ({ type: 'function', function: each })),
          max_tokens: 1,
        }),
      ),
      await postTo(running.url, '/v1/responses', {
        ...{ input, max_output_tokens: 1 },
        tools: called.map((each) => ({ type: 'function', ...each })),
      }),
      await postTo(running.url, '/v1/messages', {
        ...{ messages: [{ role: 'user', content }], max_tokens: 1 },
        tools: called.map(({ name, parameters }) => ({ name, input_schema: parameters })),
      }),
    ];
    for (const { status, body } of answers) assert.equal(status, 200, JSON.stringify(body));
  }
});
