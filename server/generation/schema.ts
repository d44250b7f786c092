import { InvalidRequestError } from '../errors.ts';
import { MAX_SCHEMA_COMPARISONS, MAX_SCHEMA_STEPS } from '../limits.ts';
import { areDisjoint } from './schema-disjoint.ts';
import { mergeKeywords } from './schema-keywords.ts';
import { isRecord, type Node, type Part, type Prepared, pickKeywords } from './schema-node.ts';
import { SchemaReferences } from './schema-references.ts';

/** A schema that llguidance can enforce, and the keywords that were dropped from it. */
export interface PreparedSchema {
  schema: Prepared;
  /** The targets of `schema`'s references to `#/$defs/…`, by name. */
  definitions: Readonly<Record<string, Prepared>>;
  /** The paths of keywords that are not enforced. */
  ignored: readonly string[];
}

export interface PrepareOptions {
  /** The path of the schema in the request, such as `tools.0.function.parameters`. */
  path: string;
  /** The field to name in an error about the whole schema. */
  param: string;
  /** Refuse keywords that cannot be enforced, instead of dropping them. */
  strict: boolean;
  /** Prefix for the names of definitions, so that several schemas can share `$defs`. */
  prefix?: string;
  /** Drop a broken `$ref` like an unsupported keyword. By default it is refused. */
  toleratesMissingRefs?: boolean;
  /** Allow only objects, as for the arguments of a tool call. */
  objectOnly?: boolean;
  /** Shared by the schemas of one request. */
  budget?: SchemaBudget;
}

/** Bounds the work on the schemas of one request. */
export class SchemaBudget {
  #left = MAX_SCHEMA_STEPS;
  #comparisons = MAX_SCHEMA_COMPARISONS;

  spend(steps: number, param: string): void {
    this.#left -= steps;
    if (this.#left >= 0) return;
    throw new InvalidRequestError(
      'The schema is too complex to enforce. Use fewer alternatives, less nesting or shorter lists.',
      { param, code: 'schema_too_complex' },
    );
  }

  /** Whether there is room to compare that many more values. */
  compare(values: number): boolean {
    this.#comparisons -= values;
    return this.#comparisons >= 0;
  }
}

/**
 * Rewrites a JSON Schema so that llguidance can enforce it. First merges `allOf`, alternatives, and
 * `$ref` with the keywords next to it. Then closes every object that has `properties` and does not
 * mention additional ones, because a model could otherwise add keys endlessly.
 * @throws InvalidRequestError that names the keyword, if `strict` and it cannot be enforced
 */
export function prepareSchema(schema: unknown, options: PrepareOptions): PreparedSchema {
  return new Preparation(schema, options).run();
}

/** Characters of names and values that take about as long as one step. */
const CHARACTERS_PER_STEP = 50;
const REFERENCES = ['$ref', '$dynamicRef', '$recursiveRef'];

interface Definition {
  name: string;
  parts: readonly Part[];
  schema: Prepared;
}

class Preparation {
  readonly #root: Part;
  readonly #options: PrepareOptions;
  readonly #budget: SchemaBudget;
  readonly #ignored = new Set<string>();
  readonly #numbers = new Map<object, number>();
  readonly #definitions = new Map<string, Definition>();
  readonly #waiting: Definition[] = [];
  readonly #own = new WeakMap<object, Node>();
  readonly #rests = new WeakMap<object, Map<string, Node>>();
  readonly #weights = new WeakMap<object, number>();
  readonly #disjoint = new WeakMap<object, boolean>();
  readonly #references: SchemaReferences;

  constructor(root: unknown, options: PrepareOptions) {
    this.#root = { node: root, path: options.path };
    this.#options = options;
    this.#references = new SchemaReferences(this.#root);
    this.#budget = options.budget ?? new SchemaBudget();
  }

  run(): PreparedSchema {
    const object = { node: { type: 'object' }, path: this.#root.path };
    const schema = this.#prepare(this.#options.objectOnly ? [this.#root, object] : [this.#root]);
    for (let next = this.#waiting.shift(); next !== undefined; next = this.#waiting.shift()) {
      next.schema = this.#merge(next.parts);
    }
    const definitions = [...this.#definitions.values()].map(({ name, schema }) => [name, schema]);
    return {
      schema,
      definitions: Object.fromEntries(definitions),
      ignored: [...this.#ignored],
    };
  }

  /** Merges schemas that all apply. Those reached by a `$ref` become a definition, prepared later. */
  #prepare = (parts: readonly Part[]): Prepared => {
    const { flat, hasRef, matchesNothing } = this.#flatten(parts);
    if (matchesNothing) return false;
    if (flat.length === 0) return {};
    if (!hasRef) return this.#merge(flat);
    const key = flat
      .map(({ node }) => this.#number(node))
      .sort((a, b) => a - b)
      .join();
    const known = this.#definitions.get(key);
    const definition = known ?? {
      name: `${this.#options.prefix ?? ''}${this.#definitions.size}`,
      parts: flat,
      schema: {},
    };
    if (known === undefined) {
      this.#definitions.set(key, definition);
      this.#waiting.push(definition);
    }
    return { $ref: `#/$defs/${definition.name}` };
  };

  /** Replaces `$ref` and `allOf` with their targets, in the order of the schema. */
  #flatten(parts: readonly Part[]) {
    const flat: (Part & { node: Node })[] = [];
    const seen = new Set<object>();
    const stack = [...parts].reverse();
    let hasRef = false;
    let matchesNothing = false;
    for (let part = stack.pop(); part !== undefined; part = stack.pop()) {
      const { node, path } = part;
      this.#spend(1);
      if (node === false) matchesNothing = true;
      if (!isRecord(node)) {
        if (typeof node !== 'boolean') this.#refuse(path, node);
        continue;
      }
      if (seen.has(node)) continue;
      seen.add(node);
      const inner: Part[] = [];
      for (const keyword of REFERENCES) {
        if (!(keyword in node)) continue;
        const target = this.#resolve(node[keyword], `${path}.${keyword}`);
        if (target === undefined) continue;
        inner.push(target);
        hasRef = true;
      }
      const { allOf } = node;
      if (Array.isArray(allOf)) {
        inner.push(...allOf.map((item, index) => ({ node: item, path: `${path}.allOf.${index}` })));
      } else if (allOf !== undefined) {
        this.#refuse(`${path}.allOf`, allOf);
      }
      const own = this.#ownKeywords(node);
      if (inner.length === 0) {
        if (Object.keys(own).length > 0) flat.push({ node: own, path });
        continue;
      }
      // The keywords next to a reference are merged after its target.
      stack.push({ node: own, path }, ...inner.reverse());
    }
    return { flat, hasRef, matchesNothing };
  }

  #merge(parts: readonly Part[]): Prepared {
    this.#spend(parts.reduce((sum, { node }) => sum + this.#weight(node), 0));
    for (const [index, { node, path }] of parts.entries()) {
      if (!isRecord(node)) continue;
      const keyword = ['anyOf', 'oneOf'].find((name) => node[name] !== undefined);
      if (keyword === undefined) continue;
      const rest = { node: this.#without(node, keyword), path };
      const others = parts.with(index, rest);
      const branches = node[keyword];
      if (!Array.isArray(branches)) return this.#refuse(`${path}.${keyword}`, branches);
      return this.#mergeBranches(others, branches, keyword, path);
    }
    return mergeKeywords(parts, {
      prepare: this.#prepare,
      drop: this.#drop,
      refuse: this.#refuse,
      note: (path) => this.#ignored.add(path),
      spend: this.#spend,
    });
  }

  /** Merges each alternative with the keywords next to `anyOf` or `oneOf`, then closes it. */
  #mergeBranches(
    others: readonly Part[],
    branches: readonly unknown[],
    keyword: string,
    path: string,
  ): Prepared {
    const inner = branches.map((node, index) => ({ node, path: `${path}.${keyword}.${index}` }));
    if (keyword === 'oneOf' && !this.#areDisjoint(branches)) this.#drop(`${path}.oneOf`);
    const prepared = inner.map((branch) => this.#prepare([...others, branch]));
    const possible = prepared.filter((schema) => schema !== false);
    if (possible.length < 2) return possible[0] ?? false;
    return { anyOf: possible };
  }

  #areDisjoint(branches: readonly unknown[]): boolean {
    const known = this.#disjoint.get(branches);
    if (known !== undefined) return known;
    const found = areDisjoint(branches, {
      find: (ref) => this.#references.find(ref)?.node,
      canCompare: (values) => this.#budget.compare(values),
    });
    this.#disjoint.set(branches, found);
    return found;
  }

  #spend = (steps: number): void => this.#budget.spend(steps, this.#options.param);

  #drop = (path: string): void => {
    if (this.#options.strict) {
      const keyword = path.slice(path.lastIndexOf('.') + 1);
      throw new InvalidRequestError(
        `\`${keyword}\` at \`${path}\` cannot be enforced. Remove it, or remove ` +
          '`strict: true` to have the rest of the schema enforced.',
        { param: path },
      );
    }
    this.#ignored.add(path);
  };

  #refuse = (path: string, value: unknown): never => {
    const { param } = this.#options;
    throw new InvalidRequestError(
      `\`${param}\` must be a valid JSON Schema (got ${JSON.stringify(value)?.slice(0, 40)} at ` +
        `\`${path}\`).`,
      { param },
    );
  };

  #resolve(ref: unknown, path: string): Part | undefined {
    const target = typeof ref === 'string' ? this.#references.find(ref) : undefined;
    if (target !== undefined) return target;
    if (this.#options.toleratesMissingRefs) {
      this.#drop(path);
      return undefined;
    }
    throw new InvalidRequestError(
      `\`${path}\` refers to a schema that does not exist. Only references within the schema are ` +
        'supported.',
      { param: path },
    );
  }

  /** A node's own keywords. Always the same object, so that recursion is detected. */
  #ownKeywords(node: Node): Node {
    const own = this.#own.get(node) ?? pickKeywords(node);
    this.#own.set(node, own).set(own, own);
    return own;
  }

  /** Always the same object, as above. */
  #without(node: Node, keyword: string): Node {
    const rests = this.#rests.get(node) ?? new Map<string, Node>();
    this.#rests.set(node, rests);
    const known = rests.get(keyword);
    if (known !== undefined) return known;
    const { [keyword]: _, ...rest } = node;
    rests.set(keyword, rest);
    return rest;
  }

  /** The work for a node without its inner schemas; each alternative repeats it. */
  #weight(node: unknown): number {
    if (!isRecord(node)) return 1;
    const known = this.#weights.get(node);
    if (known !== undefined) return known;
    const { enum: values, const: value, required, pattern, properties, patternProperties } = node;
    const names = [properties, patternProperties].map((map) => Object.keys(map ?? {}));
    const text = JSON.stringify([values, value, required, pattern, names]);
    const weight = 1 + Math.floor(text.length / CHARACTERS_PER_STEP);
    this.#weights.set(node, weight);
    return weight;
  }

  #number(node: unknown): number {
    const key = node as object;
    const number = this.#numbers.get(key) ?? this.#numbers.size;
    this.#numbers.set(key, number);
    return number;
  }
}
