import { InvalidRequestError } from '../openai/api-error.ts';
import { type PreparedSchema, prepareSchema, type SchemaBudget } from './schema.ts';

/** A function the client offers the model; `param` is where it stands in the client's body. */
export interface FunctionDefinition {
  name: string;
  description?: string | null | undefined;
  /** The JSON Schema of its arguments; without one it takes no arguments. */
  parameters?: Readonly<Record<string, unknown>> | null | undefined;
  strict?: boolean | null | undefined;
  param: string;
  /** `parameters` as a grammar can enforce them. */
  prepared: PreparedSchema;
}

/** The functions a model may call. `required` means that its answer is a call of one of them. */
export interface Tools {
  functions: readonly FunctionDefinition[];
  choice: 'none' | 'auto' | 'required';
}

/**
 * The tools as mlx_vlm takes them. It treats `required` as an instruction that the model may ignore,
 * so the answer is held to the schema of an object that `ForcedCall` reads.
 */
export function toRuntimeTools(tools: Tools | undefined): Record<string, unknown> {
  if (tools === undefined) return {};
  const { functions, choice } = tools;
  const offered = {
    tools: functions.map(({ param: _, prepared: __, ...called }) => ({
      type: 'function',
      function: called,
    })),
    tool_choice: choice,
  };
  if (choice !== 'required') return offered;
  const json_schema = { name: 'call', schema: callSchema(functions), strict: true };
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
