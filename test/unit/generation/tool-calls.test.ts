import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { CollectedAnswer } from '../../../server/generation/answer.ts';
import { ToolCalls } from '../../../server/generation/tool-calls.ts';
import { type ClientTool, ToolNames } from '../../../server/generation/tools.ts';

const prepared = { schema: {}, definitions: {}, ignored: [] };
const snap: ClientTool = { type: 'function', namespace: 'mcp__camera', name: 'snap' };
const patch: ClientTool = { type: 'custom', name: 'apply_patch' };

function offer(tools: readonly ClientTool[]) {
  const names = new ToolNames(tools);
  return tools.map((client) => ({
    name: names.nameOf(client),
    param: 'tools.0',
    prepared,
    client,
  }));
}

/** The calls that a client assembles from arguments in these pieces. */
function read(
  calls: readonly [name: string, pieces: readonly string[]][],
  tools: readonly ClientTool[] = [snap, patch],
) {
  const toolCalls = new ToolCalls({ functions: offer(tools), choice: 'auto' });
  const collected = new CollectedAnswer();
  const add = (deltas: ReturnType<ToolCalls['add']>) =>
    collected.add({ content: '', reasoning: '', toolCalls: deltas, logprobs: [] });
  for (const [index, [name, pieces]] of calls.entries()) {
    add(toolCalls.add([{ index, id: `call_${index}`, function: { name } }]));
    for (const piece of pieces) add(toolCalls.add([{ index, function: { arguments: piece } }]));
  }
  add(toolCalls.end());
  return collected.toolCalls.map(({ id: _, ...call }) => call);
}

function split(text: string, cuts: readonly number[]): string[] {
  const places = [...new Set([0, ...cuts.map((cut) => cut % text.length), text.length])];
  const ordered = places.sort((a, b) => a - b);
  return ordered.slice(1).map((end, index) => text.slice(ordered[index], end));
}

const toAscii = (json: string) =>
  json.replace(
    /[\u0080-\uffff]/g,
    (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );

test('the input of a custom tool is read from its arguments, however they are split', () => {
  const text = fc.string({
    unit: fc.oneof(fc.constantFrom('"', '\\', '\n', '😀', 'é'), fc.string()),
  });
  fc.assert(
    fc.property(text, fc.boolean(), fc.array(fc.nat()), (input, isAscii, cuts) => {
      const json = JSON.stringify({ input: input.toWellFormed() });
      const pieces = split(isAscii ? toAscii(json) : json, cuts);
      assert.deepEqual(read([['apply_patch', pieces]]), [
        { type: 'custom', name: 'apply_patch', arguments: input.toWellFormed() },
      ]);
    }),
    { numRuns: 2000 },
  );
});

const otherForms: [text: string, input: string][] = [
  ['{"input": "cut off \\u26', 'cut off '],
  ['{"patch": "a\\nb"}', 'a\nb'],
  ['"a text"', 'a text'],
  ['*** Begin Patch', '*** Begin Patch'],
  ['{"input": 5}', '5'],
  ['{"input": ["a", 1]}', '["a",1]'],
  ['{"why": 1, "input": "last"}', 'last'],
  ['{"a": 1, "b": 2}', '{"a":1,"b":2}'],
  ['{}', ''],
  ['', ''],
  ['{"input": "lone \\ud83d half"}', 'lone \ufffd half'],
  ['{"input": "a raw \n newline and \\d"}', 'a raw \n newline and \\d'],
];
for (const [text, input] of otherForms) {
  test(`the input is recovered from arguments of another form: ${JSON.stringify(text)}`, () => {
    for (const pieces of [[text], [...text]]) {
      assert.equal(read([['apply_patch', pieces]])[0]?.arguments, input);
    }
  });
}

test("a call has the client's names, and its input ends before the next call", () => {
  const calls = read([
    ['mcp__camera__snap', ['{"which": "left"}']],
    ['apply_patch', ['{"text": "one"}']],
    ['snap', ['{}']],
    ['unknown', ['{}']],
  ]);
  assert.deepEqual(calls, [
    { ...snap, arguments: '{"which": "left"}' },
    { ...patch, arguments: 'one' },
    { ...snap, arguments: '{}' },
    { type: 'function', name: 'unknown', arguments: '{}' },
  ]);
});

test('a bare name that exists in two namespaces is not resolved', () => {
  const other = { ...snap, namespace: 'mcp__phone' };
  const [call] = read([['snap', ['{}']]], [snap, other]);
  assert.deepEqual(call, { type: 'function', name: 'snap', arguments: '{}' });
});

test('every tool has a short unique name, the same in every request', () => {
  const long = 'a'.repeat(60);
  const tools: ClientTool[] = [
    { type: 'function', namespace: 'mcp__camera', name: 'snap' },
    { type: 'function', name: 'mcp__camera__snap' },
    { type: 'custom', name: 'mcp__camera__snap' },
    { type: 'function', namespace: 'mcp.camera', name: 'snap' },
    { type: 'function', namespace: long, name: `${long}1` },
    { type: 'function', namespace: long, name: `${long}2` },
    { type: 'function', namespace: 'functions', name: 'run' },
    { type: 'function', name: 'run' },
  ];
  const names = new ToolNames(tools);
  const offered = tools.map((tool) => names.nameOf(tool));
  assert.equal(new Set(offered).size, tools.length);
  for (const name of offered) assert.match(name, /^[\w-]{1,64}$/);
  assert.equal(offered[1], 'mcp__camera__snap', 'tools without a namespace keep their names');
  const later = new ToolNames([...tools].reverse().filter(({ type }) => type === 'function'));
  assert.equal(later.nameOf(tools[4] ?? snap), offered[4]);
});

test('a tool that is not offered anymore keeps its name in the conversation', () => {
  assert.equal(new ToolNames([]).nameOf(snap), new ToolNames([snap, patch]).nameOf(snap));
});
