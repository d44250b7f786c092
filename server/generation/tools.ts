/** A function the client offers the model; `param` is where it stands in the client's body. */
export interface FunctionDefinition {
  name: string;
  description?: string | null | undefined;
  /** The JSON Schema of its arguments; none means that it takes none. */
  parameters?: Readonly<Record<string, unknown>> | null | undefined;
  strict?: boolean | null | undefined;
  param: string;
}

/** The functions a model may call. `required` means that its answer is a call of one of them. */
export interface Tools {
  functions: readonly FunctionDefinition[];
  choice: 'none' | 'auto' | 'required';
}

/**
 * What mlx_vlm is told of the tools. To it `required` is an instruction that the model may ignore,
 * so that the answer is held to a schema: that of the object whose text `ForcedCall` reads.
 */
export function toRuntimeTools(tools: Tools | undefined): Record<string, unknown> {
  if (tools === undefined) return {};
  const { functions, choice } = tools;
  const told = {
    tools: functions.map(({ param: _, ...called }) => ({ type: 'function', function: called })),
    tool_choice: choice,
  };
  if (choice !== 'required') return told;
  const json_schema = { name: 'call', schema: callSchema(functions), strict: true };
  return { ...told, response_format: { type: 'json_schema', json_schema } };
}

/** The call of one of the functions: `{"name": …, "arguments": …}`, in this order. */
function callSchema(functions: readonly FunctionDefinition[]): object {
  return {
    anyOf: functions.map(({ name, parameters }, index) => ({
      type: 'object',
      properties: {
        name: { const: name },
        arguments: relocate(parameters ?? noArguments, `#/anyOf/${index}/properties/arguments`),
      },
      required: ['name', 'arguments'],
      additionalProperties: false,
    })),
  };
}

const noArguments = { type: 'object', properties: {}, additionalProperties: false };

/** A schema that has become part of another: what it refers to within itself is at `root` now. */
function relocate(schema: unknown, root: string): unknown {
  if (Array.isArray(schema)) return schema.map((item) => relocate(item, root));
  if (typeof schema !== 'object' || schema === null) return schema;
  const moved = Object.entries(schema).map(([key, value]) => {
    const isLocal = key === '$ref' && typeof value === 'string' && /^#(\/|$)/.test(value);
    return [key, isLocal ? root + value.slice(1) : relocate(value, root)];
  });
  return Object.fromEntries(moved);
}
