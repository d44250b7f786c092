import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Answer, CollectedAnswer } from '../../../server/generation/answer.ts';

const prepared = { schema: {}, definitions: {}, ignored: [] };
const look = {
  name: 'look',
  param: 'tools.0',
  prepared,
  client: { type: 'function' as const, name: 'look' },
};
const note = {
  name: 'note',
  param: 'tools.1',
  prepared,
  client: { type: 'custom' as const, name: 'note' },
  grammar: 'start: /.+/',
};
const tools = { functions: [look, note], choice: 'required' as const };

/** The deltas of a forced call whose text arrives in these pieces. */
function read(pieces: readonly string[], finish_reason: string) {
  const answer = new Answer({ stopSequences: [], parallelToolCalls: true, tools });
  const collected = new CollectedAnswer();
  const deltas = [
    ...pieces.map((content) => answer.add({ choices: [{ delta: { content } }] })),
    answer.add({ choices: [{ delta: {}, finish_reason }] }),
    answer.end(),
  ];
  for (const delta of deltas) if (delta !== undefined) collected.add(delta);
  const calls = collected.toolCalls.map(({ name, arguments: text }) => [name, text]);
  return { content: collected.content, calls, finishReason: answer.finishReason };
}

function split(text: string, cuts: readonly number[]): string[] {
  const places = [...new Set([0, ...cuts.map((cut) => cut % text.length), text.length])];
  const ordered = places.sort((a, b) => a - b);
  return ordered.slice(1).map((end, index) => text.slice(ordered[index], end));
}

test('the input of a custom tool with a grammar is unchanged, however it is split', () => {
  fc.assert(
    fc.property(fc.string(), fc.array(fc.nat()), (input, cuts) => {
      const text = `{"name": "note", "input": ${input}`;
      assert.deepEqual(read(split(text, cuts), 'stop'), {
        content: '',
        calls: [['note', input]],
        finishReason: 'tool_calls',
      });
    }),
  );
});

test('a forced call is read from its text, however it is split', () => {
  const jsonObject = fc
    .dictionary(fc.string(), fc.jsonValue())
    .map((value) => JSON.stringify(value));
  fc.assert(
    fc.property(jsonObject, fc.array(fc.nat()), (json, cuts) => {
      const text = `{"name": "look", "arguments": ${json}}`;
      assert.deepEqual(read(split(text, cuts), 'stop'), {
        content: '',
        calls: [['look', json]],
        finishReason: 'tool_calls',
      });
    }),
  );
});

for (const [text, calls] of [
  ['{"name": "lo', []],
  ['{"name": "look", "arguments": ', []],
  ['{"name": "look", "arguments": {', [['look', '{']]],
  ['{"name": "look", "arguments": {"a": {', [['look', '{"a": {']]],
  ['{"name": "look", "arguments": {"a": {}', [['look', '{"a": {}']]],
  ['{"name": "look", "arguments": {"a": {}}', [['look', '{"a": {}']]],
  ['{"name": "look", "arguments": {"a": {}}}', [['look', '{"a": {}}']]],
] as const) {
  test(`a truncated forced call has the arguments so far: ${text}`, () => {
    assert.deepEqual(read([...text], 'length'), { content: '', calls, finishReason: 'length' });
  });
}

test('a forced call within unfinished reasoning is a call', () => {
  const answer = new Answer({ stopSequences: [], parallelToolCalls: true, tools });
  const tool_calls = [{ index: 0, id: 'a', function: { name: 'look', arguments: '{}' } }];
  const delta = answer.add({ choices: [{ delta: { tool_calls }, finish_reason: 'tool_calls' }] });
  assert.deepEqual([delta?.toolCalls, answer.finishReason], [tool_calls, 'tool_calls']);
});

test('an answer that turns out not to be a call is text', () => {
  assert.deepEqual(read(['I', ' cannot.'], 'stop'), {
    content: 'I cannot.',
    calls: [],
    finishReason: 'stop',
  });
});

test('whitespace around a forced call is removed', () => {
  const { calls } = read(['\n\n', '{"name":"look","arguments":{}', '}\n'], 'stop');
  assert.deepEqual(calls, [['look', '{}']]);
});
