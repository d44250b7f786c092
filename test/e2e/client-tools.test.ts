import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { eventsOf, postTo } from '../support/api.ts';
import { schemaErrors } from '../support/openapi/validate.ts';
import { type ScriptedService, startScriptedService } from '../support/scripted-service.ts';
import {
  callsOf,
  camera,
  chat,
  image,
  own,
  patched,
  snapped,
  status,
  tools,
} from './client-tools.ts';

/*
 * Custom tools and namespaces run in the client: the model sees functions, and a call is returned
 * in the form of its tool.
 */

/** A model whose answers the tests script. */
let scripted: ScriptedService;
before(async () => {
  scripted = await startScriptedService('lfm2-vl');
});
after(() => scripted.stop());

/** An input that makes the scripted model write these calls. */
async function calling(...calls: string[]) {
  const text = await scripted.script(`<|tool_call_start|>[${calls.join(', ')}]<|tool_call_end|>`);
  const content = [
    { type: 'input_image', image_url: image },
    { type: 'input_text', text },
  ];
  return [{ type: 'message', role: 'user', content }] as const;
}

const calls: [what: string, says: string, expected: object][] = [
  ['of a namespace', "mcp__camera__snap(which='left')", { ...snapped, namespace: 'mcp__camera' }],
  [
    'of another with that name',
    "mcp__phone__snap(which='left')",
    { ...snapped, namespace: 'mcp__phone' },
  ],
  ['of a custom tool', "apply_patch(input='one, (two) ü 😀')", patched],
  [
    'of a custom tool of the namespace `functions`',
    "exec(input='ls')",
    { ...patched, name: 'exec', namespace: 'functions', input: 'ls' },
  ],
  ['of a plain function', 'run()', { type: 'function_call', status, name: 'run', arguments: '{}' }],
];
for (const [what, says, expected] of calls) {
  test(`a call ${what} is returned in the form of its tool`, async () => {
    assert.deepEqual(await callsOf(scripted.url, { tools, input: await calling(says) }), [
      expected,
    ]);
  });
}

test('two calls of custom tools are returned as two items', async () => {
  const asked = { tools, input: await calling("apply_patch(input='a')", "exec(input='b')") };
  const inputs = (await callsOf(scripted.url, asked)).map((call) => call.input);
  assert.deepEqual(inputs, ['a', 'b']);
});

test('tools in an additional_tools item are offered like those in `tools`', async () => {
  const item = { type: 'additional_tools', role: 'developer', tools: [camera, own] };
  const says = await calling("mcp__camera__snap(which='left')");
  assert.deepEqual(await callsOf(scripted.url, { input: [item, ...says] }), [
    { ...snapped, namespace: 'mcp__camera' },
  ]);
});

test('the input of a custom tool is streamed as text, with OpenAI’s events', async () => {
  const body = { input: await calling("apply_patch(input='one two')"), tools };
  const events = await eventsOf(scripted.url, '/v1/responses', { ...body, stream: true });
  const data = events.map((event) => event.data);
  const about = (type: string) => data.filter((event) => event.type === type);
  const deltas = about('response.custom_tool_call_input.delta');
  assert.equal(deltas.map(({ delta }) => delta).join(''), 'one two');
  const added = about('response.output_item.added').at(-1);
  const [done] = about('response.custom_tool_call_input.done');
  assert.deepEqual([done.input, done.item_id], ['one two', added.item.id]);
  for (const event of [...deltas, done, added, ...about('response.output_item.done')]) {
    assert.deepEqual(schemaErrors('ResponseStreamEvent', event), [], event.type);
  }
});

test('the text of a call that was not forced becomes the input of a custom tool', async () => {
  const [{ content }] = await calling("note(input='two words')");
  const text = content.find((part) => part.type === 'input_text')?.text ?? '';
  const { body: completion } = await postTo(scripted.url, '/v1/chat/completions', {
    ...chat,
    messages: [{ role: 'user', content: text }],
  });
  const [call] = completion.choices[0]?.message.tool_calls ?? [];
  assert.deepEqual(call?.type === 'custom' ? call.custom : call, {
    name: 'note',
    input: 'two words',
  });
});
