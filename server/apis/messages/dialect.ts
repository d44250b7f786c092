import type { GenerationRequest } from '../../generation/request.ts';
import { ToolNames } from '../../generation/tools.ts';
import { type GivenTool, type ToolChoice, toTools } from '../client-tool.ts';
import type { Dialect } from '../dialect.ts';
import { pick, runtimeParameters } from '../fields.ts';
import { readContinuation, readSpellings, readStops, readTokenLimit } from '../other-servers.ts';
import { findIgnored, type IgnoredFields, parseBody } from '../parse-body.ts';
import { toResponseFormat } from '../structured-output.ts';
import { toMessageBody } from './answer.ts';
import { toMessages } from './conversation.ts';
import { MessageEvents } from './events.ts';
import { MessagesRequest } from './request.ts';
import { describeTool } from './tools.ts';

const passedOn = runtimeParameters(MessagesRequest);

/**
 * Anthropic's Messages. Not by mlx_vlm's own route: that one finds stop sequences only after it has
 * streamed them, and generates on behind them.
 */
export const messagesDialect: Dialect = {
  read(body) {
    const request = parseBody(MessagesRequest, body);
    const ignored = findIgnored(body, request);
    const showsThinking = request.thinking != null && request.thinking.type !== 'disabled';
    return {
      request: toGenerationRequest(request, ignored),
      ignored,
      createEvents: (head) => new MessageEvents(head, showsThinking),
      toBody(head, answers) {
        const [first] = answers;
        if (first === undefined) throw new TypeError('A message has one answer.');
        return toMessageBody(head, first, showsThinking);
      },
    };
  },
};

function toGenerationRequest(request: MessagesRequest, ignored: IgnoredFields): GenerationRequest {
  const own = { ...pick(request, passedOn), ...toThinking(request) };
  const { thinking: _, ...others } = request;
  const { parameters, ...wishes } = readSpellings(others, own, ignored, thinkingFields);
  const choice = request.tool_choice;
  const at = { format: 'output_config.format', schema: 'output_config.format.schema' };
  const asked = request.output_config?.format ?? undefined;
  const format = toResponseFormat(request, asked, at, ignored);
  const alone = choice != null && 'disable_parallel_tool_use' in choice;
  return {
    model: request.model ?? undefined,
    ...readContinuation(request, toMessages(request), 'messages'),
    params: { messages: 'messages', schema: format.param },
    stream: request.stream === true,
    answers: 1,
    seed: request.seed ?? undefined,
    maxTokens: readTokenLimit(request, 'max_tokens', ignored),
    stops: readStops(request, 'stop_sequences', ignored),
    tools: toTools(new ToolNames(toGivenTools(request)), toChoice(request), ignored),
    parallelToolCalls: !(alone && choice.disable_parallel_tool_use === true),
    parameters: {
      ...parameters,
      ...format.parameters,
    },
    ...wishes,
  };
}

/** Anthropic's fields for mlx_vlm's parameters of thinking. */
const thinkingFields = {
  enable_thinking: ['thinking'],
  reasoning_effort: ['output_config', 'effort'],
  thinking_budget: ['thinking', 'budget_tokens'],
};

function toThinking({ thinking, output_config }: MessagesRequest) {
  const effort = output_config?.effort;
  return {
    ...(thinking == null ? {} : { enable_thinking: thinking.type !== 'disabled' }),
    ...(thinking?.type === 'enabled' && thinking.budget_tokens != null
      ? { thinking_budget: thinking.budget_tokens }
      : {}),
    ...(effort == null ? {} : { reasoning_effort: effort }),
  };
}

function toGivenTools({ tools }: MessagesRequest): GivenTool[] {
  return (tools ?? []).flatMap((tool, index): GivenTool[] => {
    if (tool === undefined) return [];
    const place = { param: `tools.${index}`, field: 'input_schema' };
    if (!('input_schema' in tool)) {
      return [{ type: 'function', name: tool.name, ...describeTool(tool), ...place }];
    }
    const { name, description, strict, input_schema: parameters } = tool;
    return [{ type: 'function', name, description, strict, parameters, ...place }];
  });
}

function toChoice({ tool_choice: choice }: MessagesRequest): ToolChoice | undefined {
  switch (choice?.type) {
    case undefined:
      return undefined;
    case 'any':
      return 'required';
    case 'tool':
      return { mode: 'required', tools: [{ type: 'function', name: choice.name }] };
    default:
      return choice?.type;
  }
}
