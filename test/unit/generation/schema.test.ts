import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { prepareSchema } from '../../../server/generation/schema.ts';
import {
  toEnforceablePattern,
  withoutLookAround,
} from '../../../server/generation/schema-pattern.ts';

/** Of this process: how busy the machine is does not matter. */
function cpuSecondsSince(before: NodeJS.CpuUsage): number {
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1e6;
}

const options = { path: 's', param: 's', strict: false };
const prepare = (schema: unknown) => prepareSchema(schema, options).schema;
const closed = { additionalProperties: false };
const text = { type: 'string' };
const a = { properties: { a: text } };
const b = { properties: { b: text } };

for (const [what, schema, expected] of [
  ['properties alone', a, { type: 'object', ...a, ...closed }],
  [
    'explicit true',
    { ...a, additionalProperties: true },
    { type: 'object', ...a, additionalProperties: {} },
  ],
  ['no properties', { type: 'object' }, { type: 'object' }],
  [
    'branches of allOf',
    { allOf: [a, b] },
    { type: 'object', properties: { a: text, b: text }, ...closed },
  ],
  [
    'alternatives with keywords next to them',
    { ...a, anyOf: [b, { required: ['a'] }] },
    {
      anyOf: [
        { type: 'object', properties: { a: text, b: text }, ...closed },
        { type: 'object', ...a, ...closed, required: ['a'] },
      ],
    },
  ],
  [
    'properties of a condition',
    { ...a, if: a, else: b },
    { type: 'object', properties: { a: text, b: text }, ...closed },
  ],
] as const) {
  test(`objects are closed after merging: ${what}`, () => {
    assert.deepEqual(prepare(schema), expected);
  });
}

test('a $ref target is closed on its own, but open within allOf', () => {
  const $defs = { Base: a };
  const both = {
    $defs,
    properties: { alone: { $ref: '#/$defs/Base' }, more: { allOf: [{ $ref: '#/$defs/Base' }, b] } },
  };
  const { definitions } = prepareSchema(both, options);
  assert.deepEqual(Object.values(definitions), [
    { type: 'object', ...a, ...closed },
    { type: 'object', properties: { a: text, b: text }, ...closed },
  ]);
});

test('recursive schemas are prepared', () => {
  for (const schema of [
    { $ref: '#' },
    { allOf: [{ $ref: '#' }, a] },
    { ...a, anyOf: [{ properties: { c: { $ref: '#', description: 'x', type: 'object' } } }, b] },
    { $defs: { A: { $ref: '#/$defs/B' }, B: { $ref: '#/$defs/A' } }, $ref: '#/$defs/A' },
  ]) {
    assert.ok(prepare(schema));
  }
});

const list = <Item>(length: number, item: (index: number) => Item) =>
  Array.from({ length }, (_, index) => item(index));
const fields = (length: number, value: unknown) =>
  Object.fromEntries(list(length, (index) => [`p${index}`, value]));

for (const [what, schema] of [
  [
    'alternatives by alternatives',
    { allOf: list(40, () => ({ anyOf: [{ minLength: 1 }, { maxLength: 9 }] })) },
  ],
  ['the values of an enum', { enum: list(9000, String), anyOf: list(5000, () => ({})) }],
  ['a long constant', { const: 'x'.repeat(1e6), anyOf: list(5000, () => ({})) }],
  [
    'required names',
    { ...a, required: list(9000, (at) => `r${at}`), anyOf: list(5000, () => ({})) },
  ],
  ['a pattern', { pattern: '(?:[a-z]|b)'.repeat(400), anyOf: list(5000, () => ({})) }],
  ['parts of allOf', { allOf: list(5000, (at) => ({ properties: { [`p${at}`]: {} } })) }],
  [
    'places of tuples',
    { allOf: [{ prefixItems: list(9000, () => ({})) }, ...list(5000, () => ({ minItems: 1 }))] },
  ],
] as const) {
  test(`a schema that multiplies ${what} is refused instead of taking a long time`, () => {
    const before = process.cpuUsage();
    assert.throws(() => prepare(schema), { code: 'schema_too_complex' });
    assert.ok(cpuSecondsSince(before) < 3);
  });
}

const tag = (name: string) => ({
  required: list(9000, () => 'a'),
  properties: { a: { enum: [...list(4000, (index) => `${name}${index}`), 'same'] } },
});
const oneTarget = (D: object) => ({
  properties: fields(3000, { $ref: '#/$defs/D' }),
  $defs: { D },
});

for (const [what, schema] of [
  ['alternatives that share a value in every tag', { oneOf: [tag('a'), tag('b')] }],
  [
    'unsupported keywords under a long name',
    { properties: { ['n'.repeat(1e6)]: { properties: fields(3000, { not: {} }) } } },
  ],
  ['a long broken reference', oneTarget({ $ref: `#/${'/'.repeat(1e6)}` })],
  ['a target with many other fields', oneTarget({ ...a, allOf: [{}], ...fields(4900, 1) })],
] as const) {
  test(`${what} take less than three CPU seconds to prepare`, () => {
    const before = process.cpuUsage();
    prepareSchema(schema, { ...options, toleratesMissingRefs: true });
    assert.ok(cpuSecondsSince(before) < 3);
  });
}

test('a property may be named like an inherited JavaScript property', () => {
  const named = { properties: { constructor: text } };
  assert.deepEqual(prepare({ ...a, if: {}, else: named }), {
    type: 'object',
    properties: { a: text, constructor: text },
    ...closed,
  });
  const names = { propertyNames: { enum: ['__proto__'] }, additionalProperties: text };
  assert.equal(
    JSON.stringify(prepare(names)),
    '{"type":"object","properties":{"__proto__":{"type":"string"}},"additionalProperties":false}',
  );
});

test('any JSON is either prepared or refused with its path', () => {
  const word = fc.constantFrom(
    ...[
      'type',
      'properties',
      'allOf',
      'anyOf',
      'oneOf',
      '$ref',
      'items',
      'prefixItems',
      'required',
    ],
    ...['enum', 'const', 'pattern', 'format', 'minimum', 'maxItems', 'multipleOf', 'if', 'not'],
    ...['additionalProperties', 'patternProperties', 'propertyNames', '__proto__', 'constructor'],
  );
  const value = fc.letrec((tie) => ({
    node: fc.oneof(
      { maxDepth: 6 },
      fc.constantFrom(
        null,
        true,
        false,
        0,
        -1,
        1.5,
        'string',
        'object',
        '#',
        '#/properties',
        '(',
        [],
      ),
      fc.array(tie('node'), { maxLength: 3 }),
      fc.dictionary(word, tie('node'), { maxKeys: 4 }),
    ),
  })).node;
  fc.assert(
    fc.property(value, fc.boolean(), (schema, strict) => {
      try {
        prepareSchema(schema, { path: 's', param: 's', strict });
      } catch (error) {
        assert.equal((error as { status?: number }).status, 400, String(error));
      }
    }),
  );
});

for (const [pattern, expected] of [
  ['^[\\w.-]+$', '^[\\w.-]+$'],
  ['^a$|^b$', '^a$|^b$'],
  ['[[&]', '[\\[\\&]'],
  ['\\@\\/', '@\\/'],
  ['a{,5}', 'a\\{,5\\}'],
  ['a$b', undefined],
  ['(a$)b', undefined],
  ['a^', undefined],
  ['(?=a)b', undefined],
  ['(?<!a)b', undefined],
  ['(a)\\1', undefined],
  ['\\bfoo', undefined],
  ['(', undefined],
  ['a{200000}', undefined],
] as const) {
  test(`the pattern ${pattern} is enforced as ${expected ?? 'nothing'}`, () => {
    assert.equal(toEnforceablePattern(pattern), expected);
  });
}

test('removing look-around keeps the rest of a pattern', () => {
  assert.equal(withoutLookAround('^(?!\\.)(?!.*(a|\\)))([a-z(]+)@x$'), '^([a-z(]+)@x$');
  assert.equal(withoutLookAround('^a$'), undefined);
});
