import { z } from 'zod';
import { ToolNames } from '../generation/tool-names.ts';
import { MAX_TOOLS } from '../limits.ts';
import {
  customTool,
  FunctionName,
  functionTool,
  type GivenTool,
  otherTool,
  type ToolChoice,
} from './client-tool.ts';

const ChatTool = z.union([
  z.object({ type: z.literal('function'), function: z.object(functionTool) }),
  z.object({ type: z.literal('custom'), custom: z.object(customTool) }),
  otherTool(['function', 'custom']),
]);

const Named = z.discriminatedUnion('type', [
  z.object({ type: z.literal('function'), function: z.object({ name: FunctionName }) }),
  z.object({ type: z.literal('custom'), custom: z.object({ name: FunctionName }) }),
]);
type Named = z.infer<typeof Named>;

/** `tools` and `tool_choice` of chat completions. */
export const ChatTools = z.array(ChatTool).max(MAX_TOOLS);
export const ChatToolChoice = z.union([
  z.enum(['none', 'auto', 'required']),
  Named,
  z.object({
    type: z.literal('allowed_tools'),
    allowed_tools: z.object({
      mode: z.enum(['auto', 'required']),
      tools: z.array(Named).min(1).max(MAX_TOOLS),
    }),
  }),
]);

/** The tools that are offered to the model, without those that the client does not run. */
export function toChatToolNames(tools: z.infer<typeof ChatTools> | null | undefined) {
  const given = (tools ?? []).flatMap((tool, index): GivenTool[] => {
    const param = `tools.${index}`;
    if (tool === undefined) return [];
    return tool.type === 'custom'
      ? [{ type: tool.type, ...tool.custom, param, field: 'custom' }]
      : [{ type: tool.type, ...tool.function, param, field: 'function.parameters' }];
  });
  return new ToolNames(given);
}

export function toChatChoice(
  choice: z.infer<typeof ChatToolChoice> | null | undefined,
): ToolChoice | null | undefined {
  if (choice == null || typeof choice === 'string') return choice;
  if (choice.type !== 'allowed_tools') return { mode: 'required', tools: [toNamed(choice)] };
  const { mode, tools } = choice.allowed_tools;
  return { mode, tools: tools.map(toNamed) };
}

function toNamed(named: Named) {
  return {
    type: named.type,
    name: named.type === 'custom' ? named.custom.name : named.function.name,
  };
}
