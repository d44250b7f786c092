import {
  type Context,
  isList,
  isRecord,
  isSchema,
  isText,
  type Keyworded,
  largest,
  type Node,
  type Part,
  pathTo,
  pickKeywords,
  smallest,
} from './schema-node.ts';
import { toEnforceablePattern } from './schema-pattern.ts';

/** Looking up one name or index in one of the merged schemas takes a fraction of a step. */
const LOOK_UPS_PER_STEP = 50;

/** Merges the keywords of arrays. */
export function arrayKeywords(parts: readonly Keyworded[], context: Context) {
  const { prepare, refuse, spend } = context;
  const arrays = parts.map(({ node, path }) => {
    const { items } = node;
    const isOld = Array.isArray(items); // before draft 2020-12
    const [prefixKeyword, restKeyword] = isOld
      ? ['items', 'additionalItems']
      : ['prefixItems', 'items'];
    const list = node[prefixKeyword];
    if (list !== undefined && !Array.isArray(list)) refuse(`${path}.${prefixKeyword}`, list);
    return {
      prefix: Array.isArray(list)
        ? list.map((item, index) => ({ node: item, path: `${path}.${prefixKeyword}.${index}` }))
        : [],
      rest: schemaAt(node, path, restKeyword, context),
      unevaluated: schemaAt(node, path, 'unevaluatedItems', context),
    };
  });
  const length = Math.max(0, ...arrays.map(({ prefix }) => prefix.length));
  spend((length * arrays.length) / LOOK_UPS_PER_STEP);
  const schemasAt = (index: number) =>
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
    counts.minItems = length; // libraries that generate tuples expect all items
  }
  return {
    ...(length === 0
      ? {}
      : { prefixItems: Array.from({ length }, (_, index) => prepare(schemasAt(index))) }),
    ...(rests.length > 0 ? { items: prepare(rests) } : isTuple ? { items: false } : {}),
    ...counts,
  };
}

/** Merges the keywords of objects. */
export function objectKeywords(parts: readonly Keyworded[], context: Context) {
  const { prepare, spend } = context;
  const objects = parts.map((part) => readObject(part, context));
  const names = new Set(objects.flatMap(({ properties }) => [...properties.keys()]));
  const patterns = new Map<string, Part[]>();
  for (const { pattern, schema } of objects.flatMap((object) => object.patterns)) {
    patterns.set(pattern, [...(patterns.get(pattern) ?? []), schema]);
  }
  const others = objects.flatMap(({ rest }) => rest ?? []);
  // `unevaluatedProperties` applies to what no part mentions, so the parts are needed together.
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
    const own = objects.flatMap(({ properties, patterns, rest }) => {
      return properties.get(name) ?? (patterns.length === 0 ? (rest ?? []) : []);
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
    ...propertyCounts(parts, context, {
      optional: [...names].filter((name) => !required.has(name)).length,
      required: required.size,
      isClosed: additional === false && patterns.size === 0,
    }),
  };
}

/** llguidance allows only one pattern to match a name, so several are combined. */
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
    rest = { node: true, path: schema.path }; // allows the names that it would match
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

/** Collects properties that only a condition mentions: allowed, as conditions are not enforced. */
function collect(schema: unknown, path: string, into: Map<string, Part>): void {
  const properties = isRecord(schema) ? schema['properties'] : undefined;
  if (!isRecord(properties)) return;
  for (const [name, inner] of Object.entries(properties)) {
    if (into.has(name)) continue;
    into.set(name, { node: inner, path: pathTo(`${path}.properties`, name) });
  }
}

/** llguidance can count properties only if at most one of the named ones is optional. */
function propertyCounts(
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
