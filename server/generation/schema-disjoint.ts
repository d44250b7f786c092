import { isRecord, type Node } from './schema-keywords.ts';

type Find = (ref: string) => unknown;

const MAX_BRANCHES = 100;
const MAX_HOPS = 8;

/** Whether no value can fit two of the schemas, as far as types, constants and tags tell. */
export function areDisjoint(schemas: readonly unknown[], find: Find): boolean {
  if (schemas.length > MAX_BRANCHES) return false;
  const seen = schemas.map((schema) => resolve(schema, find));
  return seen.every((a, at) => seen.slice(at + 1).every((b) => differ(a, b, find)));
}

function resolve(schema: unknown, find: Find): unknown {
  let node = schema;
  for (let hops = 0; isRecord(node) && hops < MAX_HOPS; hops += 1) {
    const { $ref, allOf } = node;
    if (typeof $ref === 'string') node = find($ref);
    else if (Array.isArray(allOf) && allOf.length === 1) node = allOf[0];
    else return node;
  }
  return node;
}

function differ(a: unknown, b: unknown, find: Find): boolean {
  if (a === false || b === false) return true;
  if (!isRecord(a) || !isRecord(b)) return false;
  const [mine, theirs] = [valuesOf(a), valuesOf(b)];
  if (mine !== undefined && theirs !== undefined) {
    return ![...mine].some((value) => theirs.has(value));
  }
  const [types, others] = [typesOf(a), typesOf(b)];
  if (types !== undefined && others !== undefined) {
    if (!types.some((type) => others.includes(type))) return true;
  }
  const isObject = [types, others].every((list) => list?.join() === 'object');
  return (isObject || hasProperties(a, b)) && haveTag(a, b, find);
}

function hasProperties(...nodes: readonly Node[]): boolean {
  return nodes.every(({ type, properties }) => type === undefined && isRecord(properties));
}

/** Whether a property that one of them requires tells them apart. */
function haveTag(a: Node, b: Node, find: Find): boolean {
  const [mine, theirs] = [a['properties'], b['properties']];
  if (!isRecord(mine) || !isRecord(theirs)) return false;
  const required = [a['required'], b['required']].flat();
  return required.some((name) => {
    if (typeof name !== 'string' || !Object.hasOwn(mine, name) || !Object.hasOwn(theirs, name)) {
      return false;
    }
    const [one, other] = [resolve(mine[name], find), resolve(theirs[name], find)];
    if (!isRecord(one) || !isRecord(other)) return false;
    const [values, more] = [valuesOf(one), valuesOf(other)];
    return values !== undefined && more !== undefined && ![...values].some((v) => more.has(v));
  });
}

function valuesOf(node: Node): Set<string> | undefined {
  const values = 'const' in node ? [node['const']] : node['enum'];
  return Array.isArray(values) ? new Set(values.map((value) => JSON.stringify(value))) : undefined;
}

/** An integer is a number too, so that both count as one. */
function typesOf(node: Node): string[] | undefined {
  const values = 'const' in node ? [node['const']] : node['enum'];
  if (Array.isArray(values)) return values.map(typeOf);
  const { type } = node;
  if (type === undefined) return undefined;
  return [type].flat().map((name) => (name === 'integer' ? 'number' : String(name)));
}

function typeOf(value: unknown): string {
  if (value === null) return 'null';
  return Array.isArray(value) ? 'array' : typeof value;
}
