import { type Part, pathTo } from './schema-node.ts';

/** Finds the targets of `$ref` in a schema: by JSON Pointer, `$id` or `$anchor`. */
export class SchemaReferences {
  readonly #root: Part;
  readonly #targets = new Map<string, Part | undefined>();
  #named: Map<string, Part> | undefined;

  constructor(root: Part) {
    this.#root = root;
  }

  find(ref: string): Part | undefined {
    if (!this.#targets.has(ref)) this.#targets.set(ref, this.#search(ref));
    return this.#targets.get(ref);
  }

  #search(ref: string): Part | undefined {
    if (ref === '#' || ref === '#/') return this.#root;
    this.#named ??= collectNamed(this.#root);
    const byName = this.#named.get(ref);
    if (byName !== undefined) return byName;
    const hash = ref.indexOf('#');
    const base = hash > 0 ? this.#named.get(ref.slice(0, hash)) : this.#root;
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
}

/** All schemas with an `$id` or `$anchor`, by every form in which a `$ref` can name them. */
function collectNamed(root: Part): Map<string, Part> {
  const named = new Map<string, Part>();
  const stack: Part[] = [root];
  for (let part = stack.pop(); part !== undefined; part = stack.pop()) {
    const { node, path } = part;
    if (typeof node !== 'object' || node === null) continue;
    for (const keyword of ['$id', '$anchor', '$dynamicAnchor', 'id']) {
      const name = Reflect.get(node, keyword);
      if (typeof name !== 'string') continue;
      for (const form of keyword.endsWith('nchor') ? [`#${name}`] : idForms(name)) {
        if (!named.has(form)) named.set(form, part);
      }
    }
    for (const [key, inner] of Object.entries(node)) {
      stack.push({ node: inner, path: pathTo(path, key) });
    }
  }
  return named;
}

function idForms(id: string): string[] {
  const name = id.replace(/#$/, '');
  return [id, name, name.slice(name.lastIndexOf('/') + 1)].filter((form) => form !== '');
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
