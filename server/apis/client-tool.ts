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

/** The name of a function, of a custom tool or of a schema. */
export const FunctionName = z.string().regex(/^[\w-]{1,64}$/, {
  error: 'up to 64 letters, digits, underscores or dashes',
});

/** A function that the model may call: the fields that both of OpenAI's APIs have. */
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
/** A tool that takes a text: what both APIs tell of it. They differ in where the grammar is. */
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

/** A tool that cannot be offered to the model, such as one hosted by OpenAI: ignored and reported. */
export function otherTool(types: readonly string[]) {
  const type = z.string().refine((name) => !types.includes(name), {
    error: 'the type of another tool',
  });
  return z.object({ type }).transform(() => undefined);
}

/** A tool that the client runs, as it described it. */
export interface GivenTool extends ClientTool {
  description?: string | null | undefined;
  /** Of a function. */
  parameters?: Readonly<Record<string, unknown>> | null | undefined;
  strict?: boolean | null | undefined;
  /** Of a custom tool. */
  format?: z.infer<typeof customTool.format>;
  /** Where it stands in the client's body, and the name of the field with its parameters there. */
  param: string;
  field?: string;
}

/** What a client says of the tool that the model is to call. */
export interface NamedTool extends Pick<ClientTool, 'name' | 'namespace'> {
  type: ClientTool['type'] | 'namespace';
}
/** Which of its tools the model is to call. */
export type ToolChoice =
  | 'none'
  | 'auto'
  | 'required'
  | { mode: 'auto' | 'required'; tools: readonly NamedTool[] };

/**
 * The functions to offer. mlx_vlm knows no custom tools, which are offered as a function of one text;
 * no `allowed_tools` and no choice of one, which are a smaller set of tools.
 * @throws InvalidRequestError when there are too many, or a choice names no tool there is
 */
export function toTools(
  names: ToolNames<GivenTool>,
  choice: ToolChoice | null | undefined,
  ignored: IgnoredFields,
): Tools | undefined {
  if (names.tools.length > MAX_OFFERED_TOOLS) {
    throw new InvalidRequestError(
      `Expected at most ${MAX_OFFERED_TOOLS} tools in all, got ${names.tools.length}. Send fewer.`,
      { param: 'tools' },
    );
  }
  const budget = new SchemaBudget();
  const there = names.tools.map((tool, index) => {
    const definition = tool.type === 'custom' ? toTextFunction(tool) : toFunction(tool);
    const path = `${tool.param}.${tool.field ?? 'parameters'}`;
    const options = { path, param: tool.param, strict: tool.strict === true, index, budget };
    const prepared = prepareArguments(definition.parameters, options);
    ignored.addJoined(prepared.ignored);
    const client = { type: tool.type, namespace: tool.namespace, name: tool.name };
    return { name: names.nameOf(tool), ...definition, param: tool.param, prepared, client };
  });
  if (choice === 'required' && there.length === 0) throw noSuchTool(choice);
  if (choice == null || typeof choice === 'string') {
    return there.length === 0 ? undefined : { functions: there, choice: choice ?? 'auto' };
  }
  const chosen = new Set(choice.tools.flatMap((named) => findTools(there, named)));
  if (chosen.size === 0) throw noSuchTool(choice.tools[0]?.name ?? '');
  return { functions: there.filter((tool) => chosen.has(tool)), choice: choice.mode };
}

function toFunction({ description, parameters, strict }: GivenTool) {
  return {
    ...(description === undefined ? {} : { description }),
    ...(parameters === undefined ? {} : { parameters }),
    ...(strict === undefined ? {} : { strict }),
  };
}

/** A custom tool as a function of one text. A grammar is told, and holds a call that is forced. */
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
      properties: { input: { type: 'string', description: 'The whole input of the tool.' } },
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

/** Those that a choice names: a tool without a namespace first, then by its joined or bare name. */
function findTools<Tool extends FunctionDefinition>(
  tools: readonly Tool[],
  named: NamedTool,
): readonly Tool[] {
  const { type, name, namespace } = named;
  if (type === 'namespace') return tools.filter(({ client }) => client.namespace === name);
  const sameType = tools.filter(({ client }) => client.type === type);
  const same = sameType.filter(({ client }) => client.name === name);
  const ways =
    namespace == null
      ? [
          same.filter(({ client }) => client.namespace === undefined),
          sameType.filter((tool) => tool.name === name),
          same,
        ]
      : [same.filter(({ client }) => client.namespace === namespace)];
  const found = ways.find(({ length }) => length > 0);
  if (found === undefined) throw noSuchTool(name);
  return found;
}

function noSuchTool(choice: string): InvalidRequestError {
  return new InvalidRequestError(
    `Expected \`tool_choice\` to name a tool of \`tools\`, got "${choice}", which is not among them.`,
    { param: 'tool_choice' },
  );
}
