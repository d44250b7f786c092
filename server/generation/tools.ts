import { createHash } from 'node:crypto';
import { InvalidRequestError } from '../errors.ts';
import { type PreparedSchema, prepareSchema, type SchemaBudget } from './schema.ts';

/** Identifies a tool that the client runs, by the client's names. */
export interface ClientTool {
  /** A custom tool has text as its input instead of arguments. */
  type: 'function' | 'custom';
  name: string;
  /** The client's group of tools that it belongs to, such as an MCP server. */
  namespace?: string | undefined;
}

/** OpenAI's limit, which works with chat templates and grammars. */
const MAX_NAME_LENGTH = 64;
/** OpenAI's namespace for tools without one. */
const DEFAULT_NAMESPACE = 'functions';

/**
 * The tools' names for the model. A tool in a namespace has a joined name, such as
 * `mcp__camera__snap`. A name that is too long or already taken ends in a hash of the client's names,
 * so that a tool has the same name in all requests of a conversation.
 */
export class ToolNames<Tool extends ClientTool = ClientTool> {
  readonly #tools = new Map<string, Tool>();
  readonly #names = new Map<string, string>();

  /** Tools without a namespace are named first. The last one of duplicate tools is used. */
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

  /** The name of a tool, which may be missing in this request. */
  nameOf(tool: ClientTool): string {
    const joined = joinedName(tool);
    const name = joined.length > MAX_NAME_LENGTH ? withHash(joined, tool) : joined;
    return this.#names.get(keyOf(tool)) ?? name;
  }
}

function keyOf({ type, namespace = '', name }: ClientTool): string {
  return JSON.stringify([type, namespace, name]);
}

function joinedName({ namespace = DEFAULT_NAMESPACE, name }: ClientTool): string {
  const joined =
    namespace === DEFAULT_NAMESPACE ? name : `${namespace.replace(/_+$/, '')}__${name}`;
  return joined.replace(/[^\w-]/g, '_');
}

function withHash(name: string, tool: ClientTool): string {
  const hash = createHash('sha256').update(keyOf(tool)).digest('hex').slice(0, 8);
  return `${name.slice(0, MAX_NAME_LENGTH - hash.length - 1)}_${hash}`;
}

/** A function that is offered to the model. `param` is its path in the client's body. */
export interface FunctionDefinition {
  /** The name for the model. */
  name: string;
  description?: string | null | undefined;
  /** The JSON Schema of its arguments. Without one, it has no arguments. */
  parameters?: Readonly<Record<string, unknown>> | null | undefined;
  strict?: boolean | null | undefined;
  param: string;
  /** `parameters` in a form that a grammar can enforce. */
  prepared: PreparedSchema;
  /** The client's tool that this function represents. */
  client: ClientTool;
  /** For a custom tool: the Lark grammar of its input, in llguidance's syntax. */
  grammar?: string | undefined;
}

/** A keyword for the launcher (`structured_output.py`), which prepared schemas never contain. */
export const GRAMMAR = 'x-sightglass-grammar';

/** The functions that the model may call. With `required`, the answer must be a call. */
export interface Tools {
  functions: readonly FunctionDefinition[];
  choice: 'none' | 'auto' | 'required';
}

/**
 * Converts tools to mlx_vlm's format. mlx_vlm treats `required` as an instruction that the model may
 * ignore, so the answer must match a schema whose object `ForcedCall` reads. The input of a custom
 * tool with a grammar is plain text, because a grammar cannot be enforced within a JSON string.
 */
export function toRuntimeTools(tools: Tools | undefined): Record<string, unknown> {
  if (tools === undefined) return {};
  const { functions, choice } = tools;
  const offered = {
    tools: functions.map(
      ({ param: _, prepared: __, client: ___, grammar: ____, ...definition }) => ({
        type: 'function',
        function: definition,
      }),
    ),
    tool_choice: choice,
  };
  if (choice !== 'required') return offered;
  const json_schema = functions.some(({ grammar }) => grammar !== undefined)
    ? { name: 'call', schema: { [GRAMMAR]: ['llguidance', callGrammar(functions)] } }
    : { name: 'call', schema: callSchema(functions), strict: true };
  return { ...offered, response_format: { type: 'json_schema', json_schema } };
}

/**
 * Prepares the schema of a function's arguments, which must be an object. Empty parameters mean no
 * arguments. Whether a schema is accepted does not depend on `tool_choice`.
 * @throws InvalidRequestError
 */
export function prepareArguments(
  parameters: unknown,
  options: { path: string; param: string; strict: boolean; index: number; budget: SchemaBudget },
): PreparedSchema {
  const { index, ...rest } = options;
  return prepareSchema(isEmptySchema(parameters) ? noArguments : parameters, {
    ...rest,
    prefix: `f${index}_`,
    objectOnly: true,
    toleratesMissingRefs: true,
  });
}

const noArguments = { type: 'object', properties: {} };

function isEmptySchema(parameters: unknown): boolean {
  if (parameters == null) return true;
  const isAnnotation = (name: string) =>
    /^(?:\$schema|\$id|title|description|\$comment)$/.test(name);
  return typeof parameters === 'object' && Object.keys(parameters).every(isAnnotation);
}

/**
 * The schema of a call: `{"name": …, "arguments": …}`, in this order.
 * @throws InvalidRequestError if none of the functions can be called
 */
function callSchema(functions: readonly FunctionDefinition[]): object {
  const callable = functions.filter(({ prepared }) => prepared.schema !== false);
  const [first] = functions;
  if (callable.length === 0 && first !== undefined) {
    throw new InvalidRequestError(
      `No arguments can match the parameters of the function ${first.name}. Correct its JSON Schema.`,
      { param: first.param },
    );
  }
  return {
    anyOf: callable.map(({ name, prepared }) => ({
      type: 'object',
      properties: { name: { const: name }, arguments: prepared.schema },
      required: ['name', 'arguments'],
      additionalProperties: false,
    })),
    $defs: Object.assign({}, ...callable.map(({ prepared }) => prepared.definitions)),
  };
}

/** The same as a grammar. The call of a custom tool with a grammar is `{"name": …, "input": …`. */
function callGrammar(functions: readonly FunctionDefinition[]): string {
  const grammars = functions.map(({ prepared: { schema, definitions }, grammar }, index) => {
    const name = `t${index}`;
    if (grammar !== undefined) return { name, lark_grammar: grammar };
    const whole = typeof schema === 'boolean' ? {} : schema;
    return { name, json_schema: { ...whole, $defs: definitions } };
  });
  const calls = functions.map(({ name, grammar }, index) => {
    const isText = grammar !== undefined;
    const head = JSON.stringify(`{"name": "${name}", "${isText ? 'input' : 'arguments'}": `);
    return `c${index}: ${head} @t${index}${isText ? '' : ' "}"'}`;
  });
  const start = `start: ${calls.map((_, index) => `c${index}`).join(' | ')}`;
  return JSON.stringify({
    grammars: [{ lark_grammar: [start, ...calls].join('\n') }, ...grammars],
  });
}
