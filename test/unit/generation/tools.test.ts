import assert from 'node:assert/strict';
import { test } from 'node:test';
import { toRuntimeTools } from '../../../server/generation/tools.ts';

const look = { name: 'look', param: 'tools.0', parameters: { type: 'object' } };
const listen = { name: 'listen', param: 'tools.1' };
const asFunction = ({ param: _, ...called }: typeof look | typeof listen) => ({
  type: 'function',
  function: called,
});

test('no tools are told as nothing', () => {
  assert.deepEqual(toRuntimeTools(undefined), {});
});

for (const choice of ['auto', 'none'] as const) {
  test(`tools the model may call are told as they are: ${choice}`, () => {
    assert.deepEqual(toRuntimeTools({ functions: [look], choice }), {
      tools: [asFunction(look)],
      tool_choice: choice,
    });
  });
}

test('a model that must call is held to the schema of a call', () => {
  const told = toRuntimeTools({ functions: [look, listen], choice: 'required' });
  const call = (name: string, parameters: object) => ({
    type: 'object',
    properties: { name: { const: name }, arguments: parameters },
    required: ['name', 'arguments'],
    additionalProperties: false,
  });
  const none = { type: 'object', properties: {}, additionalProperties: false };
  const schema = { anyOf: [call('look', { type: 'object' }), call('listen', none)] };
  assert.deepEqual(told, {
    tools: [asFunction(look), asFunction(listen)],
    tool_choice: 'required',
    response_format: { type: 'json_schema', json_schema: { name: 'call', schema, strict: true } },
  });
});

test('what a schema refers to within itself is found where the schema has gone', () => {
  const parameters = {
    $defs: { Size: { type: 'number' }, $ref: { type: 'string' } },
    properties: { size: { $ref: '#/$defs/Size' }, self: { $ref: '#' }, $ref: { type: 'string' } },
    items: [{ $ref: 'https://example.com/#/$defs/Size' }],
  };
  const { response_format } = toRuntimeTools({
    functions: [listen, { ...look, parameters }],
    choice: 'required',
  }) as { response_format: { json_schema: { schema: { anyOf: { properties: object }[] } } } };
  const root = '#/anyOf/1/properties/arguments';
  assert.deepEqual(response_format.json_schema.schema.anyOf[1]?.properties, {
    name: { const: 'look' },
    arguments: {
      ...parameters,
      properties: {
        size: { $ref: `${root}/$defs/Size` },
        self: { $ref: root },
        $ref: { type: 'string' },
      },
    },
  });
});
