import { isRecord, type Node } from './schema-node.ts';

const MAX_BRANCHES = 100;
const MAX_HOPS = 8;

interface Comparison {
  /** Returns the target of a `$ref`. */
  find: (ref: string) => unknown;
  /** Whether the budget allows comparing that many values. */
  canCompare: (values: number) => boolean;
}

/**
 * Whether no value can match two of the schemas, judging by types, constants and tag properties.
 * If the budget is used up, they count as overlapping.
 */
export function areDisjoint(schemas: readonly unknown[], comparison: Comparison): boolean {
  if (schemas.length > MAX_BRANCHES) return false;
  return new Branches(comparison).areDisjoint(schemas);
}

class Branches {
  readonly #comparison: Comparison;
  readonly #values = new WeakMap<object, ReadonlySet<string> | null>();

  constructor(comparison: Comparison) {
    this.#comparison = comparison;
  }

  areDisjoint(schemas: readonly unknown[]): boolean {
    const resolved = schemas.map((schema) => this.#resolve(schema));
    return resolved.every((a, index) => resolved.slice(index + 1).every((b) => this.#differ(a, b)));
  }

  #resolve(schema: unknown): unknown {
    let node = schema;
    for (let hops = 0; isRecord(node) && hops < MAX_HOPS; hops += 1) {
      const { $ref, allOf } = node;
      if (typeof $ref === 'string') node = this.#comparison.find($ref);
      else if (Array.isArray(allOf) && allOf.length === 1) node = allOf[0];
      else return node;
    }
    return node;
  }

  #differ(a: unknown, b: unknown): boolean {
    if (a === false || b === false) return true;
    if (!isRecord(a) || !isRecord(b)) return false;
    if (!this.#comparison.canCompare(this.#sizeOf(a) + this.#sizeOf(b))) return false;
    const differ = this.#valuesDiffer(a, b);
    if (differ !== undefined) return differ;
    const [types, others] = [typesOf(a), typesOf(b)];
    if (types !== undefined && others !== undefined) {
      if (!types.some((type) => others.includes(type))) return true;
    }
    const areObjects = [types, others].every((list) => list?.join() === 'object');
    return (areObjects || hasProperties(a, b)) && this.#haveDifferentTags(a, b);
  }

  /** Whether they require a property whose constants differ, such as a `type` tag. */
  #haveDifferentTags(a: Node, b: Node): boolean {
    const [properties, otherProperties] = [a['properties'], b['properties']];
    if (!isRecord(properties) || !isRecord(otherProperties)) return false;
    const required = new Set([a['required'], b['required']].flat());
    return [...required].some((name) => {
      if (typeof name !== 'string') return false;
      if (!Object.hasOwn(properties, name) || !Object.hasOwn(otherProperties, name)) return false;
      const [first, second] = [properties, otherProperties].map((own) => this.#resolve(own[name]));
      return isRecord(first) && isRecord(second) && this.#valuesDiffer(first, second) === true;
    });
  }

  /** Whether they have no constants in common. Undefined if one has no constants. */
  #valuesDiffer(a: Node, b: Node): boolean | undefined {
    const [values, others] = [this.#valuesOf(a), this.#valuesOf(b)];
    if (values === null || others === null) return undefined;
    if (!this.#comparison.canCompare(values.size)) return false;
    return ![...values].some((value) => others.has(value));
  }

  /** The number of values to compare. */
  #sizeOf(node: Node): number {
    const { required } = node;
    return 1 + (this.#valuesOf(node)?.size ?? 0) + (Array.isArray(required) ? required.length : 0);
  }

  #valuesOf(node: Node): ReadonlySet<string> | null {
    const known = this.#values.get(node);
    if (known !== undefined) return known;
    const list = 'const' in node ? [node['const']] : node['enum'];
    const values = Array.isArray(list) ? new Set(list.map((value) => JSON.stringify(value))) : null;
    this.#values.set(node, values);
    return values;
  }
}

function hasProperties(...nodes: readonly Node[]): boolean {
  return nodes.every(({ type, properties }) => type === undefined && isRecord(properties));
}

/** `integer` counts as `number`, since every integer is a number. */
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
