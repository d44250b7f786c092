import { z } from 'zod';
import { SchemaBudget } from '../generation/schema.ts';
import { prepareArguments, type Tools } from '../generation/tools.ts';
import { MAX_TOOLS } from '../limits.ts';
import { InvalidRequestError } from './api-error.ts';
import { JsonSchema } from './bounded.ts';
import type { IgnoredFields } from './ignored-fields.ts';

/** The name of a function or of a schema. */
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
export const FunctionTool = z.object({
  type: z.literal('function'),
  function: z.object(functionTool),
});
/** A tool that cannot be offered to the model, such as one hosted by OpenAI: ignored and reported. */
export const OtherTool = z
  .object({
    type: z.string().refine((type) => type !== 'function', { error: 'the type of another tool' }),
  })
  .transform(() => undefined);

/** Without the tools that are not offered. Each keeps its place in the client's list. */
export function placeTools<Tool>(
  tools: readonly (Tool | undefined)[] | null | undefined,
): { tool: Tool; index: number; param: string }[] {
  return (tools ?? []).flatMap((tool, index) =>
    tool === undefined ? [] : [{ tool, index, param: `tools.${index}` }],
  );
}

export type FunctionTool = z.infer<typeof FunctionTool>;

const NamedFunction = z.object({
  type: z.literal('function'),
  function: z.object({ name: FunctionName }),
});

/** Which functions the model may call, in the form of chat completions. */
export const ToolChoice = z.union([
  z.enum(['none', 'auto', 'required']),
  NamedFunction,
  z.object({
    type: z.literal('allowed_tools'),
    allowed_tools: z.object({
      mode: z.enum(['auto', 'required']),
      tools: z.array(NamedFunction).min(1).max(MAX_TOOLS),
    }),
  }),
]);
export type ToolChoice = z.infer<typeof ToolChoice>;

/**
 * The functions to offer: mlx_vlm knows no `allowed_tools` and no choice of one, which are a smaller
 * set of tools.
 * @throws InvalidRequestError when a choice names no tool there is
 */
export function toTools(
  tools: readonly (FunctionTool | undefined)[] | null | undefined,
  choice: ToolChoice | null | undefined,
  /** Where a tool has its parameters, by the API. */
  field: string,
  ignored: IgnoredFields,
): Tools | undefined {
  const budget = new SchemaBudget();
  const there = placeTools(tools).map(({ tool, index, param }) => {
    const { parameters, strict } = tool.function;
    const path = `${param}.${field}`;
    const options = { path, param, strict: strict === true, index, budget };
    const prepared = prepareArguments(parameters, options);
    for (const keyword of prepared.ignored) ignored.add(...keyword.split('.'));
    return { ...tool.function, param, prepared };
  });
  if (choice === 'required') refuseUnlessThere(there.length > 0, choice);
  if (choice == null || typeof choice === 'string') {
    return there.length === 0 ? undefined : { functions: there, choice: choice ?? 'auto' };
  }
  const named = choice.type === 'function' ? [choice] : choice.allowed_tools.tools;
  const names = named.map((tool) => tool.function.name);
  for (const name of names) {
    refuseUnlessThere(
      there.some((tool) => tool.name === name),
      name,
    );
  }
  const functions = there.filter((tool) => names.includes(tool.name));
  return { functions, choice: choice.type === 'function' ? 'required' : choice.allowed_tools.mode };
}

function refuseUnlessThere(isThere: boolean, choice: string): void {
  if (isThere) return;
  throw new InvalidRequestError(
    `Expected \`tool_choice\` to name a function of \`tools\`, got "${choice}", which is not among them.`,
    { param: 'tool_choice' },
  );
}
