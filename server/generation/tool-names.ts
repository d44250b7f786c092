import { createHash } from 'node:crypto';

/** A tool that the client runs, by the names it has at the client. */
export interface ClientTool {
  /** A custom tool takes a text, its input, instead of arguments. */
  type: 'function' | 'custom';
  name: string;
  /** The group that the client has it in. */
  namespace?: string | undefined;
}

/** OpenAI's limit, which chat templates and grammars are known to work with. */
const MAX_NAME_LENGTH = 64;
/** OpenAI's name for the tools that are in no group. */
const NO_NAMESPACE = 'functions';

/**
 * The names under which a model is offered tools. A tool in a namespace has a joined name, such as
 * `mcp__camera__snap`. A name that is too long or taken ends in a hash of the client's names, so
 * that a tool keeps its name from one request of a conversation to the next.
 */
export class ToolNames<Tool extends ClientTool = ClientTool> {
  readonly #tools = new Map<string, Tool>();
  readonly #names = new Map<string, string>();

  /** Tools without a namespace get their names first; the last of two equal tools replaces the other. */
  constructor(tools: readonly Tool[]) {
    for (const tool of tools) this.#tools.set(keyOf(tool), tool);
    const distinct = this.tools;
    const bare = distinct.filter((tool) => joinedName(tool) === tool.name);
    const taken = new Set<string>();
    for (const tool of new Set([...bare, ...distinct])) {
      const joined = this.nameOf(tool);
      const name = taken.has(joined) ? withHash(joined, tool) : joined;
      taken.add(name);
      this.#names.set(keyOf(tool), name);
    }
  }

  get tools(): readonly Tool[] {
    return [...this.#tools.values()];
  }

  /** The name of a tool, even of one that is not offered now. */
  nameOf(tool: ClientTool): string {
    const joined = joinedName(tool);
    const fitting = joined.length > MAX_NAME_LENGTH ? withHash(joined, tool) : joined;
    return this.#names.get(keyOf(tool)) ?? fitting;
  }
}

function keyOf({ type, namespace = '', name }: ClientTool): string {
  return JSON.stringify([type, namespace, name]);
}

function joinedName({ namespace = NO_NAMESPACE, name }: ClientTool): string {
  const joined = namespace === NO_NAMESPACE ? name : `${namespace.replace(/_+$/, '')}__${name}`;
  return joined.replace(/[^\w-]/g, '_');
}

function withHash(name: string, tool: ClientTool): string {
  const hash = createHash('sha256').update(keyOf(tool)).digest('hex').slice(0, 8);
  return `${name.slice(0, MAX_NAME_LENGTH - hash.length - 1)}_${hash}`;
}
