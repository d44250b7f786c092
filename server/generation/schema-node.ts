import { escapeName } from '../field-path.ts';
import { MAX_IGNORED_PATH_CHARACTERS, MAX_SCHEMA_BOUND } from '../limits.ts';

export type Node = Readonly<Record<string, unknown>>;

/** A schema in the client's request, and its path there. */
export interface Part {
  node: unknown;
  path: string;
}

/** A schema that llguidance accepts. */
export type Prepared = boolean | { [keyword: string]: unknown };

/** What merging keywords needs from the preparation of the whole schema. */
export interface Context {
  prepare: (parts: readonly Part[]) => Prepared;
  /** Reports a keyword that is not enforced. */
  drop: (path: string) => void;
  /** Throws, because a value is not valid in a JSON Schema. */
  refuse: (path: string, value: unknown) => never;
  /** Reports a keyword that has no effect by definition, such as an unknown format. */
  note: (path: string) => void;
  /** Counts work that grows faster than the schema. */
  spend: (steps: number) => void;
}

/** A part that is an object with keywords, not `true` or `false`. */
export type Keyworded = Part & { node: Node };

export const OBJECT_KEYWORDS = [
  ...['properties', 'required', 'additionalProperties', 'patternProperties'],
  ...['minProperties', 'maxProperties', 'propertyNames', 'unevaluatedProperties'],
];
export const ARRAY_KEYWORDS = ['items', 'prefixItems', 'additionalItems', 'minItems', 'maxItems'];
export const STRING_KEYWORDS = ['pattern', 'format', 'minLength', 'maxLength'];
export const NUMBER_KEYWORDS = [
  'minimum',
  'maximum',
  'exclusiveMinimum',
  'exclusiveMaximum',
  'multipleOf',
];
/** Keywords that restrict a value but that llguidance does not support. */
export const UNSUPPORTED_KEYWORDS = [
  ...['not', 'if', 'then', 'else', 'contains', 'minContains', 'maxContains'],
  ...['dependentRequired', 'dependentSchemas', 'dependencies'],
];
const OTHER_KEYWORDS = [
  'type',
  'enum',
  'const',
  'anyOf',
  'oneOf',
  'uniqueItems',
  'unevaluatedItems',
];
const KEYWORDS = new Set([
  ...[
    ...OBJECT_KEYWORDS,
    ...ARRAY_KEYWORDS,
    ...STRING_KEYWORDS,
    ...NUMBER_KEYWORDS,
    ...UNSUPPORTED_KEYWORDS,
    ...OTHER_KEYWORDS,
  ],
]);

export function isRecord(value: unknown): value is Node {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The keywords of a schema that restrict a value, except `$ref` and `allOf`. */
export function pickKeywords(node: Node): Node {
  return Object.fromEntries(Object.entries(node).filter(([keyword]) => KEYWORDS.has(keyword)));
}

/** Appends a name to a path. The client chooses the name, so a long one is truncated. */
export function pathTo(path: string, name: string): string {
  const start = escapeName(name.slice(0, MAX_IGNORED_PATH_CHARACTERS));
  return `${path}.${start}${name.length > MAX_IGNORED_PATH_CHARACTERS ? '...' : ''}`;
}

/** The values of a keyword in all parts. Refuses an invalid one. */
export function valuesOf<Value>(
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

export const isList = (value: unknown): value is unknown[] => Array.isArray(value);
export const isText = (value: unknown): value is string => typeof value === 'string';
export const isNumber = (value: unknown): value is number => typeof value === 'number';
export const isSchema = (value: unknown): value is Node | boolean =>
  typeof value === 'boolean' || isRecord(value);
const isCount = (value: unknown): value is number => Number.isInteger(value) && Number(value) >= 0;

function countsOf(parts: readonly Keyworded[], keyword: string, context: Context): number[] {
  return valuesOf(parts, keyword, isCount, context).flatMap(({ value, path }) => {
    if (value <= MAX_SCHEMA_BOUND) return [value];
    context.drop(path);
    return [];
  });
}

/** The largest value of a keyword, such as `minItems`: it satisfies all parts. */
export function largest(parts: readonly Keyworded[], keyword: string, context: Context) {
  const values = countsOf(parts, keyword, context);
  return values.length === 0 ? {} : { [keyword]: Math.max(...values) };
}

/** The smallest value of a keyword, such as `maxItems`. */
export function smallest(parts: readonly Keyworded[], keyword: string, context: Context) {
  const values = countsOf(parts, keyword, context);
  return values.length === 0 ? {} : { [keyword]: Math.min(...values) };
}
