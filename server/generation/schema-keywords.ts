import { MAX_IGNORED_PATH_CHARACTERS, MAX_MULTIPLE, MAX_SCHEMA_BOUND } from '../limits.ts';
import { toEnforceablePattern, withoutLookAround } from './schema-pattern.ts';

export type Node = Readonly<Record<string, unknown>>;
/** A client's schema, and its path in the request. */
export interface Part {
  node: unknown;
  path: string;
}
/** A schema as llguidance takes it. */
export type Prepared = boolean | { [keyword: string]: unknown };
/** Reports the path of a keyword that is not enforced. */
export type Dropped = (path: string) => void;
export interface Context {
  prepare: (parts: readonly Part[]) => Prepared;
  drop: Dropped;
  /** Refuses what is not a JSON Schema. */
  refuse: (path: string, value: unknown) => never;
  /** Reports a keyword without effect, such as an unknown format: never refused. */
  note: Dropped;
  /** Counts work that grows faster than the schema. */
  spend: (steps: number) => void;
}
type Keyworded = Part & { node: Node };

/** Looking up one name or place in one of the merged schemas costs a fraction of a step. */
const LOOK_UPS_PER_STEP = 50;
const TYPES = ['null', 'boolean', 'integer', 'number', 'string', 'array', 'object'];
/** llguidance's formats (`formats.rs`); others say nothing, as JSON Schema has it (7.2.3). */
const FORMATS = /^(?:date-time|time|date|duration|email|hostname|ipv4|ipv6|uuid|uri)$/;
const OBJECT = ['properties', 'required', 'additionalProperties', 'patternProperties'];
const MORE_OBJECT = ['minProperties', 'maxProperties', 'propertyNames', 'unevaluatedProperties'];
const ARRAY = ['items', 'prefixItems', 'additionalItems', 'minItems', 'maxItems'];
const STRING = ['pattern', 'format', 'minLength', 'maxLength'];
const NUMBER = ['minimum', 'maximum', 'exclusiveMinimum', 'exclusiveMaximum', 'multipleOf'];
/** Keywords that would restrict a value, and that llguidance does not know. */
const UNKNOWN = [
  ...['not', 'if', 'then', 'else', 'contains', 'minContains', 'maxContains'],
  ...['dependentRequired', 'dependentSchemas', 'dependencies'],
];
const OTHERS = ['type', 'enum', 'const', 'anyOf', 'oneOf', 'uniqueItems', 'unevaluatedItems'];
const KEYWORDS = new Set([
  ...[...OBJECT, ...MORE_OBJECT, ...ARRAY, ...STRING, ...NUMBER, ...UNKNOWN, ...OTHERS],
]);

export function isRecord(value: unknown): value is Node {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The keywords of a schema that restrict a value, except `$ref` and `allOf`. */
export function pickKeywords(node: Node): Node {
  return Object.fromEntries(Object.entries(node).filter(([keyword]) => KEYWORDS.has(keyword)));
}

/** The path of a field that the client named: a name may be as long as the whole body. */
export function pathTo(path: string, name: string): string {
  const isLong = name.length > MAX_IGNORED_PATH_CHARACTERS;
  return `${path}.${isLong ? `${name.slice(0, MAX_IGNORED_PATH_CHARACTERS)}...` : name}`;
}

/** The schema of what fits all of `parts`, which have no references or alternatives left. */
export function mergeKeywords(parts: readonly Part[], context: Context): Prepared {
  const all = parts.filter((part): part is Keyworded => isRecord(part.node));
  reportUnknown(all, context);
  const types = mergeTypes(all, context);
  if (types?.length === 0) return false;
  const values = mergeValues(all, types, context);
  if (values !== undefined) return values.length === 0 ? false : { enum: values };
  const fits = (type: string) => types === undefined || types.includes(type);
  const kinds = {
    ...(fits('object') ? objectKeywords(all, context) : {}),
    ...(fits('array') ? arrayKeywords(all, context) : {}),
    ...(fits('string') ? stringKeywords(all, context) : {}),
    ...(fits('number') || fits('integer') ? numberKeywords(all, types, context) : {}),
  };
  return {
    ...(types === undefined ? {} : { type: types.length === 1 ? types[0] : types }),
    ...kinds,
  };
}

function reportUnknown(parts: readonly Keyworded[], { drop, refuse }: Context): void {
  for (const { node, path } of parts) {
    for (const keyword of UNKNOWN) {
      const isVacuous = /^(?:then|else)$/.test(keyword) && !('if' in node);
      if (keyword in node && !isVacuous) drop(`${path}.${keyword}`);
    }
    if (node['uniqueItems'] === true) drop(`${path}.uniqueItems`);
    const { required } = node;
    if (typeof required === 'boolean')
      drop(`${path}.required`); // of draft 3
    else if (required !== undefined && !isList(required)) refuse(`${path}.required`, required);
  }
}

/** The values of a keyword. One that is not well-formed is refused. */
function given<Value>(
  parts: readonly Keyworded[],
  keyword: string,
  isValid: (value: unknown) => value is Value,
  { refuse }: Pick<Context, 'refuse'>,
): { value: Value; path: string; node: Node }[] {
  return parts.flatMap(({ node, path }) => {
    const value = node[keyword];
    if (value === undefined) return [];
    return isValid(value)
      ? [{ value, path: `${path}.${keyword}`, node }]
      : refuse(`${path}.${keyword}`, value);
  });
}

const isList = (value: unknown): value is unknown[] => Array.isArray(value);
const isText = (value: unknown): value is string => typeof value === 'string';
const isNumber = (value: unknown): value is number => typeof value === 'number';
const isSchema = (value: unknown): value is Node | boolean =>
  typeof value === 'boolean' || isRecord(value);
const isCount = (value: unknown): value is number => Number.isInteger(value) && Number(value) >= 0;
const isName = (value: unknown): value is string | string[] =>
  [value].flat().every((name) => isText(name) && TYPES.includes(name)) && [value].flat().length > 0;

/** The allowed types; without `type`, the one that all other keywords are about, if any. */
function mergeTypes(parts: readonly Keyworded[], context: Context): string[] | undefined {
  const typed = parts.filter(({ node }) => node['type'] !== 'any'); // of draft 3
  const lists = given(typed, 'type', isName, context).map(({ value }) => [
    ...new Set([value].flat()),
  ]);
  if (lists.length > 0) {
    const wide = lists.map((list) => (list.includes('number') ? [...list, 'integer'] : list));
    const common = TYPES.filter((type) => wide.every((list) => list.includes(type)));
    return common.includes('number') ? common.filter((type) => type !== 'integer') : common;
  }
  const has = (keywords: readonly string[]) =>
    parts.some(({ node }) => keywords.some((keyword) => keyword in node));
  const kinds = [
    ...(has([...OBJECT, ...MORE_OBJECT]) ? ['object'] : []),
    ...(has(ARRAY) ? ['array'] : []),
    ...(has(STRING) ? ['string'] : []),
    ...(has(NUMBER) ? ['number'] : []),
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
    ...given(parts, 'enum', isList, context).map(({ value }) => value),
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
  const patterns = given(parts, 'pattern', isText, context).flatMap(({ value, path }) => {
    const pattern = toEnforceablePattern(value);
    if (pattern !== undefined) return [{ pattern }];
    drop(path);
    const wider = toEnforceablePattern(withoutLookAround(value) ?? '');
    return wider ? [{ pattern: wider }] : [];
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
    ...lengthOf(format?.format),
    ...largest(parts, 'minLength', context),
    ...smallest(parts, 'maxLength', context),
    ...pattern,
    ...format,
    ...(more.length === 0 ? {} : { allOf: more }),
  };
}

/** No address is longer (RFC 5321, RFC 1035); a model could write one without end. */
function lengthOf(format: string | undefined) {
  const longest: Record<string, number> = { email: 254, hostname: 253 };
  const maxLength = longest[format ?? ''];
  return maxLength === undefined ? {} : { maxLength };
}

function countsIn(parts: readonly Keyworded[], keyword: string, context: Context): number[] {
  return given(parts, keyword, isCount, context).flatMap(({ value, path }) => {
    if (value <= MAX_SCHEMA_BOUND) return [value];
    context.drop(path);
    return [];
  });
}

function largest(parts: readonly Keyworded[], keyword: string, context: Context) {
  const values = countsIn(parts, keyword, context);
  return values.length === 0 ? {} : { [keyword]: Math.max(...values) };
}

function smallest(parts: readonly Keyworded[], keyword: string, context: Context) {
  const values = countsIn(parts, keyword, context);
  return values.length === 0 ? {} : { [keyword]: Math.min(...values) };
}

/** Integers without bounds have at most 16 digits: a model could write digits without end. */
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
      // Draft 4: true makes the other bound exclusive.
      const bound = value === true ? node[keyword.slice(9).toLowerCase()] : value;
      if (!isNumber(bound)) continue;
      if (Math.abs(bound) <= limit) narrow(keyword, bound);
      else if (bound < 0 !== /inimum/.test(keyword)) drop(`${path}.${keyword}`);
    }
  }
  const multiples = given(parts, 'multipleOf', isNumber, context).filter(({ value, path }) => {
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

/** The digits of a number as an integer: 25 for 0.25 and for 2500. */
function digitsOf(value: number): number {
  const [digits = ''] = value.toString().split('e');
  return Number(digits.replace('.', '').replace(/0+$/, ''));
}

function arrayKeywords(parts: readonly Keyworded[], context: Context) {
  const { prepare, refuse, spend } = context;
  const arrays = parts.map(({ node, path }) => {
    const { items } = node;
    const isOld = Array.isArray(items);
    const [firsts, others] = isOld ? ['items', 'additionalItems'] : ['prefixItems', 'items'];
    const list = node[firsts];
    if (list !== undefined && !Array.isArray(list)) refuse(`${path}.${firsts}`, list);
    return {
      prefix: Array.isArray(list)
        ? list.map((item, at) => ({ node: item, path: `${path}.${firsts}.${at}` }))
        : [],
      rest: schemaAt(node, path, others, context),
      unevaluated: schemaAt(node, path, 'unevaluatedItems', context),
    };
  });
  const length = Math.max(0, ...arrays.map(({ prefix }) => prefix.length));
  spend((length * arrays.length) / LOOK_UPS_PER_STEP);
  const at = (index: number) =>
    arrays.flatMap(({ prefix, rest }) => {
      const item = prefix[index] ?? rest;
      return item === undefined ? [] : [item];
    });
  const others = arrays.flatMap(({ rest }) => rest ?? []);
  const rests = others.length > 0 ? others : arrays.flatMap(({ unevaluated }) => unevaluated ?? []);
  const counts = {
    ...largest(parts, 'minItems', context),
    ...smallest(parts, 'maxItems', context),
  } as { minItems?: number; maxItems?: number };
  const isTuple = length > 0 && rests.length === 0 && (counts.minItems ?? 0) <= length;
  if (isTuple && counts.minItems === undefined && (counts.maxItems ?? length) >= length) {
    counts.minItems = length; // libraries that write tuples expect all of their items
  }
  return {
    ...(length === 0
      ? {}
      : { prefixItems: Array.from({ length }, (_, index) => prepare(at(index))) }),
    ...(rests.length > 0 ? { items: prepare(rests) } : isTuple ? { items: false } : {}),
    ...counts,
  };
}

function objectKeywords(parts: readonly Keyworded[], context: Context) {
  const { prepare, spend } = context;
  const objects = parts.map((part) => readObject(part, context));
  const names = new Set(objects.flatMap(({ properties }) => [...properties.keys()]));
  const patterns = new Map<string, Part[]>();
  for (const { pattern, schema } of objects.flatMap((object) => object.patterns)) {
    patterns.set(pattern, [...(patterns.get(pattern) ?? []), schema]);
  }
  const others = objects.flatMap(({ rest }) => rest ?? []);
  // What is unevaluated is known only here, where the parts are together.
  const rests =
    others.length > 0 ? others : objects.flatMap(({ unevaluated }) => unevaluated ?? []);
  const isClosed = rests.length === 0 && objects.some(({ hasProperties }) => hasProperties);
  const required = new Set(
    parts.flatMap(({ node }) => (isList(node['required']) ? node['required'].filter(isText) : [])),
  );
  if (isClosed) {
    for (const name of required) names.add(name);
    for (const { conditional } of objects) for (const name of conditional.keys()) names.add(name);
  }
  spend((names.size * objects.length) / LOOK_UPS_PER_STEP);
  const properties = [...names].map((name) => {
    const own = objects.flatMap(({ properties: mine, patterns: some, rest }) => {
      return mine.get(name) ?? (some.length === 0 ? (rest ?? []) : []);
    });
    const implied = objects.flatMap(({ conditional }) => conditional.get(name) ?? []);
    return [name, prepare(own.length > 0 ? own : implied.slice(0, 1))] as const;
  });
  const additional = rests.length > 0 ? prepare(rests) : isClosed ? false : undefined;
  const patternProperties = toPatterns(patterns, prepare);
  return {
    ...(properties.length === 0 ? {} : { properties: Object.fromEntries(properties) }),
    ...(patterns.size === 0 ? {} : { patternProperties }),
    ...(additional === undefined ? {} : { additionalProperties: additional }),
    ...(required.size === 0 ? {} : { required: [...required] }),
    ...countsOf(parts, context, {
      optional: [...names].filter((name) => !required.has(name)).length,
      required: required.size,
      isClosed: additional === false && patterns.size === 0,
    }),
  };
}

/** llguidance allows only one pattern to match a name, so several are joined into one. */
function toPatterns(patterns: Map<string, Part[]>, prepare: Context['prepare']) {
  const prepared = [...patterns].map(([pattern, schemas]) => [pattern, prepare(schemas)] as const);
  if (prepared.length < 2) return Object.fromEntries(prepared);
  const anyOf = prepared.map(([, schema]) => schema).filter((schema) => schema !== false);
  const joined = prepared.map(([pattern]) => `(?:${pattern})`).join('|');
  return { [joined]: anyOf.length === 0 ? false : { anyOf } };
}

function schemaAt(
  node: Node,
  path: string,
  keyword: string,
  { refuse }: Context,
): Part | undefined {
  const schema = node[keyword];
  if (schema === undefined) return undefined;
  const place = `${path}.${keyword}`;
  return isSchema(schema) ? { node: schema, path: place } : refuse(place, schema);
}

function readObject({ node, path }: Keyworded, context: Context) {
  const { drop, refuse } = context;
  const map = (keyword: string): Record<string, Part> => {
    const value = node[keyword];
    if (value === undefined) return {};
    if (!isRecord(value)) return refuse(`${path}.${keyword}`, value);
    const entries = Object.entries(value).map(([name, schema]) => [
      name,
      { node: schema, path: pathTo(`${path}.${keyword}`, name) },
    ]);
    return Object.fromEntries(entries);
  };
  const properties = new Map(Object.entries(map('properties')));
  let rest = schemaAt(node, path, 'additionalProperties', context);
  const unevaluated = schemaAt(node, path, 'unevaluatedProperties', context);
  const patterns = Object.entries(map('patternProperties')).flatMap(([name, schema]) => {
    const pattern = toEnforceablePattern(name);
    if (pattern !== undefined) return [{ pattern, schema }];
    drop(schema.path);
    rest = { node: true, path: schema.path }; // names that fit it are allowed
    return [];
  });
  const keys = node['propertyNames'];
  if (isRecord(keys) && properties.size + patterns.length === 0) {
    const list = Array.isArray(keys['enum']) ? keys['enum'].filter(isText) : undefined;
    const pattern = isText(keys['pattern']) ? toEnforceablePattern(keys['pattern']) : undefined;
    const others = Object.keys(pickKeywords(keys)).filter((name) => name !== 'type');
    const schema = rest ?? { node: true, path };
    if (list !== undefined && others.length === 1) {
      for (const name of list) properties.set(name, schema);
      rest = { node: false, path };
    } else if (pattern !== undefined && others.length === 1) {
      patterns.push({ pattern, schema });
      rest = { node: false, path };
    } else if (others.length > 0 || '$ref' in keys || 'allOf' in keys) {
      drop(`${path}.propertyNames`);
    }
  } else if (keys !== undefined && keys !== true && !isPlainNames(keys)) {
    drop(`${path}.propertyNames`);
  }
  const conditional = new Map<string, Part>();
  for (const keyword of ['then', 'else']) collect(node[keyword], `${path}.${keyword}`, conditional);
  for (const keyword of ['dependentSchemas', 'dependencies']) {
    const schemas = node[keyword];
    if (!isRecord(schemas)) continue;
    for (const [name, schema] of Object.entries(schemas)) {
      collect(schema, pathTo(`${path}.${keyword}`, name), conditional);
    }
  }
  return {
    properties,
    hasProperties: isRecord(node['properties']),
    patterns,
    rest,
    unevaluated,
    conditional,
  };
}

function isPlainNames(keys: unknown): boolean {
  return isRecord(keys) && Object.keys(pickKeywords(keys)).every((name) => name === 'type');
}

/** Properties that only a condition mentions: allowed, since the condition is not enforced. */
function collect(schema: unknown, path: string, into: Map<string, Part>): void {
  const properties = isRecord(schema) ? schema['properties'] : undefined;
  if (!isRecord(properties)) return;
  for (const [name, inner] of Object.entries(properties)) {
    if (into.has(name)) continue;
    into.set(name, { node: inner, path: pathTo(`${path}.properties`, name) });
  }
}

/** llguidance counts properties only if at most one of those that are named is optional. */
function countsOf(
  parts: readonly Keyworded[],
  context: Context,
  names: { optional: number; required: number; isClosed: boolean },
) {
  const counts = {
    ...largest(parts, 'minProperties', context),
    ...smallest(parts, 'maxProperties', context),
  };
  const least = Math.max(0, (counts['minProperties'] ?? 0) - names.required);
  const most = counts['maxProperties'];
  if (names.optional === 0) return counts;
  const isFull = names.isClosed && (most ?? names.required) >= names.required + names.optional;
  const room = most === undefined || isFull ? undefined : most - names.required;
  if (least === 0 && room === undefined) return {};
  if (names.isClosed && least <= 1 && (room ?? 1) === 1) {
    return {
      ...(least === 0 ? {} : { minProperties: least + names.required }),
      ...(room === undefined ? {} : { maxProperties: most }),
    };
  }
  for (const { node, path } of parts) {
    for (const keyword of ['minProperties', 'maxProperties']) {
      if (keyword in node) context.drop(`${path}.${keyword}`);
    }
  }
  return {};
}
