import { createHash } from 'node:crypto';
import { InvalidRequestError } from '../errors.ts';
import { type PreparedSchema, prepareSchema, type SchemaBudget } from './schema.ts';

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

/** A function the client offers the model; `param` is where it stands in the client's body. */
export interface FunctionDefinition {
  /** As the model knows it. */
  name: string;
  description?: string | null | undefined;
  /** The JSON Schema of its arguments; without one it takes no arguments. */
  parameters?: Readonly<Record<string, unknown>> | null | undefined;
  strict?: boolean | null | undefined;
  param: string;
  /** `parameters` as a grammar can enforce them. */
  prepared: PreparedSchema;
  /** The tool of the client that the function stands for. */
  client: ClientTool;
  /** What the input of a custom tool must match, as a Lark grammar of llguidance. */
  grammar?: string | undefined;
}

/** The launcher reads this (`structured_output.py`); no schema that was prepared has this keyword. */
export const GRAMMAR = 'x-sightglass-grammar';

/** The functions a model may call. `required` means that its answer is a call of one of them. */
export interface Tools {
  functions: readonly FunctionDefinition[];
  choice: 'none' | 'auto' | 'required';
}

/**
 * The tools as mlx_vlm takes them. It treats `required` as an instruction that the model may ignore,
 * so the answer is held to the schema of an object that `ForcedCall` reads. The input of a custom tool
 * with a grammar comes as plain text: within JSON, the grammar could not be enforced.
 */
export function toRuntimeTools(tools: Tools | undefined): Record<string, unknown> {
  if (tools === undefined) return {};
  const { functions, choice } = tools;
  const offered = {
    tools: functions.map(({ param: _, prepared: __, client: ___, grammar: ____, ...called }) => ({
      type: 'function',
      function: called,
    })),
    tool_choice: choice,
  };
  if (choice !== 'required') return offered;
  const json_schema = functions.some(({ grammar }) => grammar !== undefined)
    ? { name: 'call', schema: { [GRAMMAR]: ['llguidance', callGrammar(functions)] } }
    : { name: 'call', schema: callSchema(functions), strict: true };
  return { ...offered, response_format: { type: 'json_schema', json_schema } };
}

/**
 * Prepares the arguments of a function: always an object, and none if its parameters say nothing.
 * The same schema is accepted or refused whatever `tool_choice` says.
 * @throws InvalidRequestError
 */
export function prepareArguments(
  parameters: unknown,
  options: { path: string; param: string; strict: boolean; index: number; budget: SchemaBudget },
): PreparedSchema {
  const { index, ...rest } = options;
  return prepareSchema(saysNothing(parameters) ? noArguments : parameters, {
    ...rest,
    prefix: `f${index}_`,
    objectOnly: true,
    toleratesMissingRefs: true,
  });
}

const noArguments = { type: 'object', properties: {} };

function saysNothing(parameters: unknown): boolean {
  if (parameters == null) return true;
  const isEmpty = (name: string) => /^(?:\$schema|\$id|title|description|\$comment)$/.test(name);
  return typeof parameters === 'object' && Object.keys(parameters).every(isEmpty);
}

/**
 * The call of one of the functions: `{"name": …, "arguments": …}`, in this order.
 * @throws InvalidRequestError when none of them can be called
 */
function callSchema(functions: readonly FunctionDefinition[]): object {
  const callable = functions.filter(({ prepared }) => prepared.schema !== false);
  const [first] = functions;
  if (callable.length === 0 && first !== undefined) {
    throw new InvalidRequestError(
      `No arguments fit the parameters of the function ${first.name}. Correct its JSON Schema.`,
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

/** The same as a grammar; a custom tool with a grammar is called `{"name": …, "input": …`. */
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
