import { InvalidRequestError } from '../errors.ts';
import { MAX_SCHEMA_COMPARISONS, MAX_SCHEMA_STEPS } from '../limits.ts';
import { areDisjoint } from './schema-disjoint.ts';
import {
  type Dropped,
  isRecord,
  mergeKeywords,
  type Node,
  type Part,
  type Prepared,
  pathTo,
  pickKeywords,
} from './schema-keywords.ts';

/** A schema that llguidance can enforce, and what had to be left out of it. */
export interface PreparedSchema {
  schema: Prepared;
  /** What `schema` refers to, by the names in `#/$defs/…`. */
  definitions: Readonly<Record<string, Prepared>>;
  /** Paths in the request of keywords that are not enforced. */
  ignored: readonly string[];
}

export interface PrepareOptions {
  /** Where the schema is in the request, such as `tools.0.function.parameters`. */
  path: string;
  /** The field of the request that an error about the whole schema names. */
  param: string;
  /** Refuse what cannot be enforced instead of leaving it out. */
  strict: boolean;
  /** Prefix for the names of definitions, so that several schemas can share a `$defs`. */
  prefix?: string;
  /** Whether a broken `$ref` is left out like an unsupported keyword. Default: refused. */
  toleratesMissingRefs?: boolean;
  /** Only objects fit, whatever the schema says; those are the arguments of a call. */
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

  /** Whether that many more values of alternatives may be compared. */
  compare(values: number): boolean {
    this.#comparisons -= values;
    return this.#comparisons >= 0;
  }
}

/**
 * Rewrites a JSON Schema to what llguidance can enforce. `allOf`, `$ref` with other keywords beside
 * it, and alternatives are merged first; then every object that has `properties` and says nothing
 * about others is closed, since a model could invent keys without end.
 * @throws InvalidRequestError that names the keyword, for what cannot be enforced, if strict
 */
export function prepareSchema(schema: unknown, options: PrepareOptions): PreparedSchema {
  return new Preparation(schema, options).run();
}

/** Characters of names and values that cost about as much as a step. */
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
  readonly #targets = new Map<string, Part | undefined>();
  readonly #disjoint = new WeakMap<object, boolean>();
  #anchors: Map<string, Part> | undefined;

  constructor(root: unknown, options: PrepareOptions) {
    this.#root = { node: root, path: options.path };
    this.#options = options;
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

  /** The schema of what fits all of `parts`. One reached by a `$ref` is prepared once, and later. */
  #prepare = (parts: readonly Part[]): Prepared => {
    const { flat, hasRef, fitsNothing } = this.#flatten(parts);
    if (fitsNothing) return false;
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

  /** Replaces `$ref` and `allOf` by what they stand for, in the order of the text. */
  #flatten(parts: readonly Part[]) {
    const flat: (Part & { node: Node })[] = [];
    const seen = new Set<object>();
    const stack = [...parts].reverse();
    let hasRef = false;
    let fitsNothing = false;
    for (let part = stack.pop(); part !== undefined; part = stack.pop()) {
      const { node, path } = part;
      this.#spend(1);
      if (node === false) fitsNothing = true;
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
        inner.push(...allOf.map((item, at) => ({ node: item, path: `${path}.allOf.${at}` })));
      } else if (allOf !== undefined) {
        this.#refuse(`${path}.allOf`, allOf);
      }
      const own = this.#ownKeywords(node);
      if (inner.length === 0) {
        if (Object.keys(own).length > 0) flat.push({ node: own, path });
        continue;
      }
      // The keywords beside a reference come after what they extend.
      stack.push({ node: own, path }, ...inner.reverse());
    }
    return { flat, hasRef, fitsNothing };
  }

  #merge(parts: readonly Part[]): Prepared {
    this.#spend(parts.reduce((sum, { node }) => sum + this.#weight(node), 0));
    for (const [at, { node, path }] of parts.entries()) {
      if (!isRecord(node)) continue;
      const keyword = ['anyOf', 'oneOf'].find((name) => node[name] !== undefined);
      if (keyword === undefined) continue;
      const rest = { node: this.#without(node, keyword), path };
      const others = parts.map((part, index) => (index === at ? rest : part));
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

  /** Each alternative is closed together with what stands beside the alternatives. */
  #mergeBranches(
    others: readonly Part[],
    branches: readonly unknown[],
    keyword: string,
    path: string,
  ): Prepared {
    const inner = branches.map((node, at) => ({ node, path: `${path}.${keyword}.${at}` }));
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
      find: (ref) => this.#find(ref)?.node,
      canCompare: (values) => this.#budget.compare(values),
    });
    this.#disjoint.set(branches, found);
    return found;
  }

  #spend = (steps: number): void => this.#budget.spend(steps, this.#options.param);

  #drop: Dropped = (path) => {
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
      `Expected \`${param}\` to have a valid JSON Schema, got ` +
        `${JSON.stringify(value)?.slice(0, 40)} at \`${path}\`.`,
      { param },
    );
  };

  #resolve(ref: unknown, path: string): Part | undefined {
    const target = typeof ref === 'string' ? this.#find(ref) : undefined;
    if (target !== undefined) return target;
    if (this.#options.toleratesMissingRefs) {
      this.#drop(path);
      return undefined;
    }
    throw new InvalidRequestError(
      `\`${path}\` does not refer to anything in this schema. ` +
        'Only references within the schema are supported.',
      { param: path },
    );
  }

  #find(ref: string): Part | undefined {
    if (!this.#targets.has(ref)) this.#targets.set(ref, this.#search(ref));
    return this.#targets.get(ref);
  }

  #search(ref: string): Part | undefined {
    if (ref === '#' || ref === '#/') return this.#root;
    const byName = this.#named().get(ref);
    if (byName !== undefined) return byName;
    const hash = ref.indexOf('#');
    const base = hash > 0 ? this.#named().get(ref.slice(0, hash)) : this.#root;
    if (hash < 0 || base === undefined || !ref.startsWith('#/', hash)) return undefined;
    let { node, path } = base;
    for (const step of ref.slice(hash + 2).split('/')) {
      const key = unescapePointer(step);
      if (typeof node !== 'object' || node === null || !Object.hasOwn(node, key)) return undefined;
      node = Reflect.get(node, key);
      path = pathTo(path, key);
    }
    return { node, path };
  }

  /** Schemas with an `$id` or an `$anchor`, by how a `$ref` names them. */
  #named(): Map<string, Part> {
    if (this.#anchors !== undefined) return this.#anchors;
    this.#anchors = new Map();
    const stack: Part[] = [this.#root];
    for (let part = stack.pop(); part !== undefined; part = stack.pop()) {
      const { node, path } = part;
      if (typeof node !== 'object' || node === null) continue;
      for (const keyword of ['$id', '$anchor', '$dynamicAnchor', 'id']) {
        const name = Reflect.get(node, keyword);
        if (typeof name !== 'string') continue;
        for (const spelling of keyword.endsWith('nchor') ? [`#${name}`] : idSpellings(name)) {
          if (!this.#anchors.has(spelling)) this.#anchors.set(spelling, part);
        }
      }
      for (const [key, inner] of Object.entries(node)) {
        stack.push({ node: inner, path: pathTo(path, key) });
      }
    }
    return this.#anchors;
  }

  /** What a node says itself. The same object each time, so that recursive schemas are found again. */
  #ownKeywords(node: Node): Node {
    const own = this.#own.get(node) ?? pickKeywords(node);
    this.#own.set(node, own).set(own, own);
    return own;
  }

  /** The same object each time, as above. */
  #without(node: Node, keyword: string): Node {
    const rests = this.#rests.get(node) ?? new Map<string, Node>();
    this.#rests.set(node, rests);
    const known = rests.get(keyword);
    if (known !== undefined) return known;
    const { [keyword]: _, ...rest } = node;
    rests.set(keyword, rest);
    return rest;
  }

  /** The work for a node besides its inner schemas: every alternative repeats its names and values. */
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

function idSpellings(id: string): string[] {
  const name = id.replace(/#$/, '');
  return [id, name, name.slice(name.lastIndexOf('/') + 1)].filter((spelling) => spelling !== '');
}

function unescapePointer(step: string): string {
  let decoded = step;
  try {
    decoded = decodeURIComponent(step);
  } catch {
    // not percent-encoded
  }
  return decoded.replaceAll('~1', '/').replaceAll('~0', '~');
}
