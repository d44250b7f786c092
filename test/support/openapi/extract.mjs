// Writes openai-schemas.json from OpenAI's openapi.yaml; how and why is in README.md.
import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { parse } from 'yaml';

const ROOTS = [
  'CreateChatCompletionRequest',
  'CreateChatCompletionResponse',
  'CreateChatCompletionStreamResponse',
  'CreateResponse',
  'Error',
  'ErrorResponse',
  'ListModelsResponse',
  'Model',
  'Response',
  'ResponseStreamEvent',
];
const PREFIX = '#/components/schemas/';
const FORMATS = new Set(['date', 'date-time', 'email', 'uri', 'uuid']);
const PROSE = /^(x-.*|default|deprecated|description|discriminator|example|examples|title)$/;
const SAME = new Set(
  [
    'enum const required pattern minimum maximum minLength maxLength minItems maxItems',
    'minProperties maxProperties uniqueItems exclusiveMinimum exclusiveMaximum multipleOf',
  ].flatMap((line) => line.split(' ')),
);

const [specPath, revision] = process.argv.slice(2);
if (specPath === undefined || revision === undefined) {
  console.error('usage: node extract.mjs openapi.yaml "which revision of it this is"');
  process.exit(2);
}
const bytes = readFileSync(specPath);
const schemas = parse(bytes.toString()).components.schemas;

/** The values of `key` that tell this schema from others, or undefined if it need not have one. */
function tags(schema, key) {
  if (schema.$ref !== undefined) return tags(schemas[schema.$ref.slice(PREFIX.length)], key);
  const union = schema.oneOf ?? schema.anyOf;
  if (union !== undefined) {
    const found = union.map((branch) => tags(branch, key));
    return found.includes(undefined) ? undefined : found.flat();
  }
  if (schema.allOf !== undefined) {
    return schema.allOf.map((part) => tags(part, key)).find((found) => found !== undefined);
  }
  const { enum: values, const: value } = schema.properties?.[key] ?? {};
  if (!schema.required?.includes(key) || schema.nullable === true) return undefined;
  return value === undefined ? values : [value];
}

/** One branch of a tagged union; Ajv wants its tag in sight, not behind an allOf. */
function tagged(branch, key, owner) {
  const target = branch.$ref === undefined ? branch : schemas[branch.$ref.slice(PREFIX.length)];
  const inSight = target.properties?.[key] !== undefined;
  const sign = { properties: { [key]: { enum: tags(branch, key) } }, required: [key] };
  return { ...convert(branch, owner), ...(inSight ? {} : sign) };
}

/** oneOf and anyOf: by tag where each branch has its own, else anyOf as the branches overlap. */
function convertUnion(branches, hint, owner) {
  const key = [hint, 'type', 'role'].find((name) => {
    const found = name === undefined ? [] : branches.map((branch) => tags(branch, name));
    if (found.length < 2 || found.includes(undefined)) return false;
    return new Set(found.flat()).size === found.flat().length;
  });
  if (key === undefined) return { anyOf: branches.map((branch) => convert(branch, owner)) };
  const oneOf = branches.map((branch) => tagged(branch, key, owner));
  return { type: 'object', discriminator: { propertyName: key }, required: [key], oneOf };
}

function convertMap(map, owner) {
  return Object.fromEntries(Object.entries(map).map(([key, part]) => [key, convert(part, owner)]));
}

function convertKeyword(key, value, schema, owner) {
  if (PROSE.test(key) || ['nullable', '$recursiveAnchor'].includes(key)) return {};
  if (SAME.has(key) || key === 'type') return { [key]: value };
  if (key === 'format') return FORMATS.has(value) ? { format: value } : {};
  if (key === '$ref') return { $ref: `#/$defs/${value.slice(PREFIX.length)}` };
  if (key === '$recursiveRef') return { $ref: `#/$defs/${owner}` };
  if (key === 'properties') return { properties: convertMap(value, owner) };
  if (key === 'allOf') return { allOf: value.map((part) => convert(part, owner)) };
  if (key === 'oneOf' || key === 'anyOf') {
    return convertUnion(value, schema.discriminator?.propertyName, owner);
  }
  if (['items', 'additionalProperties', 'propertyNames'].includes(key)) {
    return { [key]: typeof value === 'boolean' ? value : convert(value, owner) };
  }
  throw new Error(`${owner}: no rule for the keyword ${key}`);
}

/** An OpenAPI schema as a JSON Schema of the 2020-12 dialect; owner is the component it is in. */
function convert(schema, owner) {
  const parts = Object.entries(schema).map(([key, value]) =>
    convertKeyword(key, value, schema, owner),
  );
  const converted = Object.assign({}, ...parts);
  return schema.nullable === true ? { anyOf: [converted, { type: 'null' }] } : converted;
}

function refsOf(value) {
  if (typeof value !== 'object' || value === null) return [];
  const own = typeof value.$ref === 'string' ? [value.$ref.slice('#/$defs/'.length)] : [];
  return [...own, ...Object.values(value).flatMap(refsOf)];
}

function sorted(value) {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).map(([key, part]) => [key, sorted(part)]);
  return Object.fromEntries(entries.sort(([a], [b]) => (a < b ? -1 : 1)));
}

const wanted = new Map();
for (const queue = [...ROOTS]; queue.length > 0; ) {
  const name = queue.pop();
  if (wanted.has(name)) continue;
  if (schemas[name] === undefined) throw new Error(`the specification has no schema ${name}`);
  wanted.set(name, convert(schemas[name], name));
  queue.push(...refsOf(wanted.get(name)));
}

const comment = [
  `From github.com/openai/openai-openapi, MIT licence, Copyright (c) OpenAI. ${revision}`,
  `sha256 of the source: ${createHash('sha256').update(bytes).digest('hex')}.`,
  'Written by extract.mjs; do not edit.',
].join(' ');
const lines = [...wanted.keys()].sort().map((name) => {
  return `    ${JSON.stringify(name)}: ${JSON.stringify(sorted(wanted.get(name)))}`;
});
const head = [
  '{',
  `  "$comment": ${JSON.stringify(comment)},`,
  '  "$id": "https://api.openai.com/schemas",',
  '  "$schema": "https://json-schema.org/draft/2020-12/schema",',
  '  "$defs": {',
];
const text = `${head.join('\n')}\n${lines.join(',\n')}\n  }\n}\n`;
writeFileSync(new URL('openai-schemas.json', import.meta.url), text);
console.log(`${wanted.size} schemas, ${text.length} bytes`);
