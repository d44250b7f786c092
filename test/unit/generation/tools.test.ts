import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SchemaBudget } from '../../../server/generation/schema.ts';
import { prepareArguments, toRuntimeTools } from '../../../server/generation/tools.ts';

function define(name: string, index: number, parameters?: Record<string, unknown>) {
  const options = { path: 'p', param: 'p', strict: false, index, budget: new SchemaBudget() };
  const prepared = prepareArguments(parameters, options);
  const given = parameters === undefined ? {} : { parameters };
  const client = { type: 'function' as const, name };
  return { name, param: `tools.${index}`, ...given, prepared, client };
}
const look = define('look', 0, { type: 'object' });
const listen = define('listen', 1);
const asFunction = ({
  param: _,
  prepared: __,
  client: ___,
  ...called
}: ReturnType<typeof define>) => ({
  type: 'function',
  function: called,
});

test('without tools, none are sent to the runtime', () => {
  assert.deepEqual(toRuntimeTools(undefined), {});
});

for (const choice of ['auto', 'none'] as const) {
  test(`tools are sent unchanged with tool_choice ${choice}`, () => {
    assert.deepEqual(toRuntimeTools({ functions: [look], choice }), {
      tools: [asFunction(look)],
      tool_choice: choice,
    });
  });
}

test('with tool_choice required, the answer must match the schema of a call', () => {
  const sent = toRuntimeTools({ functions: [look, listen], choice: 'required' });
  const call = (name: string, parameters: object) => ({
    type: 'object',
    properties: { name: { const: name }, arguments: parameters },
    required: ['name', 'arguments'],
    additionalProperties: false,
  });
  const none = { type: 'object', additionalProperties: false };
  const anyOf = [call('look', { type: 'object' }), call('listen', none)];
  const schema = { anyOf, $defs: {} };
  assert.deepEqual(sent, {
    tools: [asFunction(look), asFunction(listen)],
    tool_choice: 'required',
    response_format: { type: 'json_schema', json_schema: { name: 'call', schema, strict: true } },
  });
});

test('references within the schemas of several functions stay valid', () => {
  const size = {
    $defs: { Size: { type: 'number' } },
    properties: { size: { $ref: '#/$defs/Size' } },
  };
  const runtimeTools = toRuntimeTools({
    functions: [define('one', 0, size), define('two', 1, size)],
    choice: 'required',
  }) as { response_format: { json_schema: { schema: { $defs: object } } } };
  const { $defs } = runtimeTools.response_format.json_schema.schema;
  assert.deepEqual($defs, { f0_0: { type: 'number' }, f1_0: { type: 'number' } });
});

test('a function without valid arguments is never forced, and refused if it is the only one', () => {
  const never = define('never', 0, { allOf: [{ type: 'string' }] });
  const only = toRuntimeTools({ functions: [never, look], choice: 'required' });
  assert.doesNotMatch(JSON.stringify(only['response_format']), /never/);
  assert.throws(() => toRuntimeTools({ functions: [never], choice: 'required' }), {
    status: 400,
    param: 'tools.0',
    message: /function never/,
  });
});

for (const parameters of [undefined, {}, { $schema: 'x', description: 'y' }]) {
  test(`empty parameters mean no arguments: ${JSON.stringify(parameters)}`, () => {
    const { schema } = define('go', 0, parameters).prepared;
    assert.deepEqual(schema, { type: 'object', additionalProperties: false });
  });
}
