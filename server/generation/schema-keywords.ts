import { MAX_MULTIPLE } from '../limits.ts';
import { arrayKeywords, objectKeywords } from './schema-containers.ts';
import {
  ARRAY_KEYWORDS,
  type Context,
  isList,
  isNumber,
  isRecord,
  isText,
  type Keyworded,
  largest,
  type Node,
  NUMBER_KEYWORDS,
  OBJECT_KEYWORDS,
  type Part,
  type Prepared,
  STRING_KEYWORDS,
  smallest,
  UNSUPPORTED_KEYWORDS,
  valuesOf,
} from './schema-node.ts';
import { toEnforceablePattern, withoutLookAround } from './schema-pattern.ts';

const TYPES = ['null', 'boolean', 'integer', 'number', 'string', 'array', 'object'];
/** The formats that llguidance supports (`formats.rs`). Others have no effect (JSON Schema, 7.2.3). */
const FORMATS = /^(?:date-time|time|date|duration|email|hostname|ipv4|ipv6|uuid|uri)$/;

/** Merges schemas that all apply and have no references or alternatives left. */
export function mergeKeywords(parts: readonly Part[], context: Context): Prepared {
  const all = parts.filter((part): part is Keyworded => isRecord(part.node));
  reportUnsupported(all, context);
  const types = mergeTypes(all, context);
  if (types?.length === 0) return false;
  const values = mergeValues(all, types, context);
  if (values !== undefined) return values.length === 0 ? false : { enum: values };
  const allows = (type: string) => types === undefined || types.includes(type);
  const kinds = {
    ...(allows('object') ? objectKeywords(all, context) : {}),
    ...(allows('array') ? arrayKeywords(all, context) : {}),
    ...(allows('string') ? stringKeywords(all, context) : {}),
    ...(allows('number') || allows('integer') ? numberKeywords(all, types, context) : {}),
  };
  return {
    ...(types === undefined ? {} : { type: types.length === 1 ? types[0] : types }),
    ...kinds,
  };
}

function reportUnsupported(parts: readonly Keyworded[], { drop, refuse }: Context): void {
  for (const { node, path } of parts) {
    for (const keyword of UNSUPPORTED_KEYWORDS) {
      const isVacuous = /^(?:then|else)$/.test(keyword) && !('if' in node);
      if (keyword in node && !isVacuous) drop(`${path}.${keyword}`);
    }
    if (node['uniqueItems'] === true) drop(`${path}.uniqueItems`);
    const { required } = node;
    if (typeof required === 'boolean')
      drop(`${path}.required`); // draft 3
    else if (required !== undefined && !isList(required)) refuse(`${path}.required`, required);
  }
}

const isName = (value: unknown): value is string | string[] =>
  [value].flat().every((name) => isText(name) && TYPES.includes(name)) && [value].flat().length > 0;

/** The allowed types. Without `type`, the type that all other keywords apply to, if there is one. */
function mergeTypes(parts: readonly Keyworded[], context: Context): string[] | undefined {
  const typed = parts.filter(({ node }) => node['type'] !== 'any'); // draft 3
  const lists = valuesOf(typed, 'type', isName, context).map(({ value }) => [
    ...new Set([value].flat()),
  ]);
  if (lists.length > 0) {
    const expanded = lists.map((list) => (list.includes('number') ? [...list, 'integer'] : list));
    const common = TYPES.filter((type) => expanded.every((list) => list.includes(type)));
    return common.includes('number') ? common.filter((type) => type !== 'integer') : common;
  }
  const has = (keywords: readonly string[]) =>
    parts.some(({ node }) => keywords.some((keyword) => keyword in node));
  const kinds = [
    ...(has(OBJECT_KEYWORDS) ? ['object'] : []),
    ...(has(ARRAY_KEYWORDS) ? ['array'] : []),
    ...(has(STRING_KEYWORDS) ? ['string'] : []),
    ...(has(NUMBER_KEYWORDS) ? ['number'] : []),
  ];
  return kinds.length === 1 && !has(['enum', 'const']) ? kinds : undefined;
}

function mergeValues(
  parts: readonly Keyworded[],
  types: readonly string[] | undefined,
  context: Context,
): unknown[] | undefined {
  const lists = [
    ...parts.filter(({ node }) => 'const' in node).map(({ node }) => [node['const']]),
    ...valuesOf(parts, 'enum', isList, context).map(({ value }) => value),
  ];
  const [first, ...more] = lists;
  if (first === undefined) return undefined;
  const others = more.map((list) => new Set(list.map((value) => JSON.stringify(value))));
  const unique = new Map(first.map((value) => [JSON.stringify(value), value]));
  return [...unique]
    .filter(([text]) => others.every((list) => list.has(text)))
    .map(([, value]) => value)
    .filter((value) => types?.some((type) => hasType(value, type)) ?? true)
    .filter((value) => parts.every(({ node }) => isWithinBounds(value, node)));
}

function hasType(value: unknown, type: string): boolean {
  if (type === 'integer') return Number.isInteger(value);
  if (type === 'null') return value === null;
  if (type === 'array') return Array.isArray(value);
  if (type === 'object') return isRecord(value);
  return typeof value === type;
}

function isWithinBounds(value: unknown, node: Node): boolean {
  const within = (size: number, least: unknown, most: unknown) =>
    !(isNumber(least) && size < least) && !(isNumber(most) && size > most);
  if (typeof value === 'string')
    return within([...value].length, node['minLength'], node['maxLength']);
  return typeof value !== 'number' || within(value, node['minimum'], node['maximum']);
}

function stringKeywords(parts: readonly Keyworded[], context: Context) {
  const { drop, note } = context;
  const patterns = valuesOf(parts, 'pattern', isText, context).flatMap(({ value, path }) => {
    const pattern = toEnforceablePattern(value);
    if (pattern !== undefined) return [{ pattern }];
    drop(path);
    const relaxed = toEnforceablePattern(withoutLookAround(value) ?? '');
    return relaxed ? [{ pattern: relaxed }] : [];
  });
  const formats = parts.flatMap(({ node, path }) => {
    const { format } = node;
    if (isText(format) && FORMATS.test(format)) return [{ format }];
    if (format !== undefined) note(`${path}.format`);
    return [];
  });
  const [format, ...moreFormats] = formats;
  const [pattern, ...morePatterns] = patterns;
  const more = [...morePatterns, ...moreFormats].map((item) => ({ type: 'string', ...item }));
  return {
    ...maxLengthOf(format?.format),
    ...largest(parts, 'minLength', context),
    ...smallest(parts, 'maxLength', context),
    ...pattern,
    ...format,
    ...(more.length === 0 ? {} : { allOf: more }),
  };
}

/** The longest valid value (RFC 5321, RFC 1035), so that a model stops in time. */
function maxLengthOf(format: string | undefined) {
  const longest: Record<string, number> = { email: 254, hostname: 253 };
  const maxLength = longest[format ?? ''];
  return maxLength === undefined ? {} : { maxLength };
}

/** Limits integers to 16 digits, so that a model cannot generate digits endlessly. */
function numberKeywords(
  parts: readonly Keyworded[],
  types: readonly string[] | undefined,
  context: Context,
) {
  const { drop, refuse } = context;
  const bounds: Record<string, number> = {};
  const narrow = (keyword: string, value: number) => {
    const known = bounds[keyword] ?? value;
    bounds[keyword] = /inimum/.test(keyword) ? Math.max(known, value) : Math.min(known, value);
  };
  const limit = types?.includes('integer') ? Number.MAX_SAFE_INTEGER : 1e18;
  for (const keyword of ['minimum', 'maximum', 'exclusiveMinimum', 'exclusiveMaximum']) {
    const isBound = (value: unknown) => isNumber(value) || typeof value === 'boolean';
    for (const { node, path } of parts) {
      const value = node[keyword];
      if (value === undefined) continue;
      if (!isBound(value)) refuse(`${path}.${keyword}`, value);
      // In draft 4, `true` makes the other bound exclusive.
      const bound = value === true ? node[keyword.slice(9).toLowerCase()] : value;
      if (!isNumber(bound)) continue;
      if (Math.abs(bound) <= limit) narrow(keyword, bound);
      else if (bound < 0 !== /inimum/.test(keyword)) drop(`${path}.${keyword}`);
    }
  }
  const multiples = valuesOf(parts, 'multipleOf', isNumber, context).filter(({ value, path }) => {
    const isSmall = value > 0 && digitsOf(value) <= MAX_MULTIPLE;
    if (!isSmall) drop(path);
    return isSmall;
  });
  const [multiple, ...more] = multiples.map(({ value }) => ({ multipleOf: value }));
  if (types?.includes('integer')) {
    if (!('minimum' in bounds || 'exclusiveMinimum' in bounds)) narrow('minimum', -limit);
    if (!('maximum' in bounds || 'exclusiveMaximum' in bounds)) narrow('maximum', limit);
  }
  const rest = more.map((item) => ({ type: 'number', ...item }));
  return { ...bounds, ...multiple, ...(rest.length === 0 ? {} : { allOf: rest }) };
}

/** The significant digits of a number as an integer: 25 for 0.25 and for 2500. */
function digitsOf(value: number): number {
  const [digits = ''] = value.toString().split('e');
  return Number(digits.replace('.', '').replace(/0+$/, ''));
}
