import { z } from 'zod';
import { InvalidRequestError } from '../errors.ts';
import { SchemaBudget } from '../generation/schema.ts';
import {
  type ClientTool,
  type FunctionDefinition,
  prepareArguments,
  type ToolNames,
  type Tools,
} from '../generation/tools.ts';
import { MAX_GRAMMAR_CHARACTERS, MAX_OFFERED_TOOLS } from '../limits.ts';
import { JsonSchema } from './fields.ts';
import type { IgnoredFields } from './parse-body.ts';

/** The name of a function, a custom tool or a schema. */
export const FunctionName = z.string().regex(/^[\w-]{1,64}$/, {
  error: 'up to 64 letters, digits, underscores or dashes',
});

/** A function tool: the fields that OpenAI's two APIs have in common. */
export const functionTool = {
  name: FunctionName,
  description: z.string().nullish(),
  parameters: JsonSchema.refine(({ type }) => type == null || [type].flat().includes('object'), {
    error: 'a JSON Schema of type "object"',
  }).nullish(),
  strict: z.boolean().nullish(),
};

const Grammar = z.object({
  syntax: z.enum(['lark', 'regex']),
  definition: z.string().min(1).max(MAX_GRAMMAR_CHARACTERS),
});
/** A custom tool, whose input is text. OpenAI's two APIs put the grammar in different places. */
export const customTool = {
  name: FunctionName,
  description: z.string().nullish(),
  format: z
    .union([
      z.object({ type: z.literal('text') }),
      z.object({ type: z.literal('grammar'), ...Grammar.shape }),
      z.object({ type: z.literal('grammar'), grammar: Grammar }),
    ])
    .nullish(),
};

/** A tool that the client does not run, such as one hosted by OpenAI: ignored and reported. */
export function otherTool(types: readonly string[]) {
  const type = z.string().refine((name) => !types.includes(name), {
    error: 'the type of a hosted tool',
  });
  return z.object({ type }).transform(() => undefined);
}

/** A tool that the client runs, with its definition. */
export interface GivenTool extends ClientTool {
  description?: string | null | undefined;
  /** For a function. */
  parameters?: Readonly<Record<string, unknown>> | null | undefined;
  strict?: boolean | null | undefined;
  /** For a custom tool. */
  format?: z.infer<typeof customTool.format>;
  /** The path of the tool in the client's body. */
  param: string;
  /** The field of the tool that contains its parameters. */
  field?: string;
}

/** A tool or namespace that `tool_choice` names. */
export interface NamedTool extends Pick<ClientTool, 'name' | 'namespace'> {
  type: ClientTool['type'] | 'namespace';
}

/** Which tools the model may or must call. */
export type ToolChoice =
  | 'none'
  | 'auto'
  | 'required'
  | { mode: 'auto' | 'required'; tools: readonly NamedTool[] };

/**
 * Converts tools to the functions that mlx_vlm supports. A custom tool becomes a function with one
 * string. For `allowed_tools` or the choice of one tool, only those tools are offered.
 * @throws InvalidRequestError if there are too many tools, or `tool_choice` names an unknown one
 */
export function toTools(
  names: ToolNames<GivenTool>,
  choice: ToolChoice | null | undefined,
  ignored: IgnoredFields,
): Tools | undefined {
  if (names.tools.length > MAX_OFFERED_TOOLS) {
    throw new InvalidRequestError(
      `A request may have at most ${MAX_OFFERED_TOOLS} tools (got ${names.tools.length}). Send fewer.`,
      { param: 'tools' },
    );
  }
  if (names.tools.length === 0 && (choice == null || typeof choice === 'string')) {
    if (choice !== 'required') return undefined;
    throw new InvalidRequestError(
      '`tool_choice` is "required", but the request has no tools. Send at least one in `tools`.',
      { param: 'tool_choice' },
    );
  }
  const budget = new SchemaBudget();
  const functions = names.tools.map((tool, index) => {
    const definition = tool.type === 'custom' ? toTextFunction(tool) : toFunction(tool);
    const path = `${tool.param}.${tool.field ?? 'parameters'}`;
    const options = { path, param: tool.param, strict: tool.strict === true, index, budget };
    const prepared = prepareArguments(definition.parameters, options);
    ignored.addJoined(prepared.ignored);
    const client = { type: tool.type, namespace: tool.namespace, name: tool.name };
    return { name: names.nameOf(tool), ...definition, param: tool.param, prepared, client };
  });
  if (choice == null || typeof choice === 'string') {
    return { functions, choice: choice ?? 'auto' };
  }
  const chosen = new Set(choice.tools.flatMap((named) => findTools(functions, named)));
  if (chosen.size === 0) throw createUnknownToolError(choice.tools[0]?.name ?? '');
  return { functions: functions.filter((tool) => chosen.has(tool)), choice: choice.mode };
}

function toFunction({ description, parameters, strict }: GivenTool) {
  return {
    ...(description === undefined ? {} : { description }),
    ...(parameters === undefined ? {} : { parameters }),
    ...(strict === undefined ? {} : { strict }),
  };
}

/** A custom tool as a function with one string. Its grammar is enforced if the call is forced. */
function toTextFunction({ description, format }: GivenTool) {
  const grammar = format?.type !== 'grammar' ? null : 'grammar' in format ? format.grammar : format;
  const hint =
    grammar === null
      ? []
      : [`The input must match this ${grammar.syntax} grammar:\n${grammar.definition}`];
  return {
    description: [description ?? [], hint].flat().join('\n\n'),
    parameters: {
      type: 'object',
      properties: { input: { type: 'string', description: 'The complete input of the tool.' } },
      required: ['input'],
      additionalProperties: false,
    },
    ...(grammar === null ? {} : { grammar: toLark(grammar) }),
  };
}

function toLark({ syntax, definition }: z.infer<typeof Grammar>): string {
  if (syntax === 'lark') return definition;
  const escaped = definition.replace(/\\.|[/\n]/gs, (found) =>
    found === '/' ? '\\/' : found === '\n' ? '\\n' : found,
  );
  return `start: /${escaped}/`;
}

/** Finds the tools that a choice names: without a namespace first, then by joined or bare name. */
function findTools<Tool extends FunctionDefinition>(
  tools: readonly Tool[],
  named: NamedTool,
): readonly Tool[] {
  const { type, name, namespace } = named;
  if (type === 'namespace') return tools.filter(({ client }) => client.namespace === name);
  const sameType = tools.filter(({ client }) => client.type === type);
  const same = sameType.filter(({ client }) => client.name === name);
  const candidates =
    namespace == null
      ? [
          same.filter(({ client }) => client.namespace === undefined),
          sameType.filter((tool) => tool.name === name),
          same,
        ]
      : [same.filter(({ client }) => client.namespace === namespace)];
  const found = candidates.find(({ length }) => length > 0);
  if (found === undefined) throw createUnknownToolError(name);
  return found;
}

function createUnknownToolError(choice: string): InvalidRequestError {
  return new InvalidRequestError(
    `\`tool_choice\` must name a tool in \`tools\` (got "${choice}").`,
    { param: 'tool_choice' },
  );
}
