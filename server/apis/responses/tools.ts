import { z } from 'zod';
import { ToolNames } from '../../generation/tools.ts';
import { MAX_TOOLS } from '../../limits.ts';
import {
  customTool,
  functionTool,
  type GivenTool,
  type NamedTool,
  otherTool,
  type ToolChoice,
} from '../client-tool.ts';

const FunctionTool = z.object({ type: z.literal('function'), ...functionTool });
const CustomTool = z.object({ type: z.literal('custom'), ...customTool });
/** The name of a namespace or of a tool in one. The model sees a joined name instead. */
const NamespaceName = z.string().regex(/^[\w.-]{1,128}$/, {
  error: 'up to 128 letters, digits, underscores, dashes or dots',
});
/** A group of tools, such as those of an MCP server. */
const Namespace = z.object({
  type: z.literal('namespace'),
  name: NamespaceName,
  description: z.string().nullish(),
  tools: z
    .array(
      z.union([
        FunctionTool.extend({ name: NamespaceName }),
        CustomTool.extend({ name: NamespaceName }),
        otherTool(['function', 'custom']),
      ]),
    )
    .max(MAX_TOOLS),
});

/** `tools` in a request or in an input item. */
export const ResponsesTools = z
  .array(
    z.union([FunctionTool, CustomTool, Namespace, otherTool(['function', 'custom', 'namespace'])]),
  )
  .max(MAX_TOOLS);
export type ResponsesTools = z.infer<typeof ResponsesTools>;

const Named = z.object({
  type: z.enum(['function', 'custom']),
  name: NamespaceName,
  namespace: NamespaceName.nullish(),
});
export const ResponsesToolChoice = z.union([
  z.enum(['none', 'auto', 'required', 'any']), // `any` is Mistral's name of `required`
  Named,
  z.object({
    type: z.literal('allowed_tools'),
    mode: z.enum(['none', 'auto', 'required']).default('auto'),
    tools: z
      .array(
        z.union([
          Named,
          z.object({ type: z.literal('namespace'), name: NamespaceName }),
          otherTool(['function', 'custom', 'namespace']),
        ]),
      )
      .min(1)
      .max(MAX_TOOLS),
  }),
]);

/** A list of tools and its path in the request. */
export interface PlacedTools {
  tools: ResponsesTools;
  param: string;
}

/** The tools to offer to the model, without the types that are ignored. */
export function toResponsesToolNames(lists: readonly PlacedTools[]): ToolNames<GivenTool> {
  return new ToolNames(
    lists.flatMap(({ tools, param }) =>
      tools.flatMap((tool, index): GivenTool[] => {
        const place = { param: `${param}.${index}` };
        if (tool === undefined) return [];
        if (tool.type !== 'namespace') return [{ ...tool, ...place }];
        return toolsIn(tool, `${place.param}.tools`);
      }),
    ),
  );
}

/** The tools of a namespace. The first one's description includes the namespace's. */
function toolsIn(
  { name: namespace, description, tools }: z.infer<typeof Namespace>,
  param: string,
): GivenTool[] {
  const placed = tools.flatMap((tool, index) =>
    tool === undefined ? [] : [{ ...tool, namespace, param: `${param}.${index}` }],
  );
  return placed.map((tool, index) => {
    const descriptions = [index === 0 ? description : null, tool.description];
    const text = descriptions.filter((part) => part != null && part !== '').join('\n\n');
    return { ...tool, description: text };
  });
}

export function toResponsesChoice(
  choice: z.infer<typeof ResponsesToolChoice> | null | undefined,
): ToolChoice | null | undefined {
  if (choice === 'any') return 'required';
  if (choice == null || typeof choice === 'string') return choice;
  if (choice.type !== 'allowed_tools') return { mode: 'required', tools: [toNamed(choice)] };
  if (choice.mode === 'none') return 'none';
  const tools = choice.tools.flatMap((tool) => (tool === undefined ? [] : [toNamed(tool)]));
  return { mode: choice.mode, tools };
}

function toNamed({
  namespace,
  ...tool
}: { type: NamedTool['type']; name: string } & {
  namespace?: string | null | undefined;
}): NamedTool {
  return { ...tool, ...(namespace == null ? {} : { namespace }) };
}
