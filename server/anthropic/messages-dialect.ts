import type { Dialect } from '../generation/dialect.ts';
import type { GenerationRequest } from '../generation/generation-request.ts';
import { pick, runtimeParameters } from '../openai/compatibility.ts';
import { toTools } from '../openai/function-tool.ts';
import { parseBody } from '../openai/invalid-request.ts';
import { toMessageBody } from './message-body.ts';
import { MessageEvents } from './message-events.ts';
import { toMessages } from './messages-conversation.ts';
import { MessagesRequest } from './messages-request.ts';

const passedOn = runtimeParameters(MessagesRequest);

/**
 * Anthropic's Messages. Not by mlx_vlm's own route: that one finds stop sequences only after it has
 * streamed them, and generates on behind them.
 */
export const messagesDialect: Dialect = {
  read(body) {
    const request = parseBody(MessagesRequest, body);
    const showsThinking = request.thinking != null && request.thinking.type !== 'disabled';
    return {
      request: toGenerationRequest(request),
      createEvents: (head) => new MessageEvents(head, showsThinking),
      toBody(head, answers) {
        const [first] = answers;
        if (first === undefined) throw new TypeError('A message has one answer.');
        return toMessageBody(head, first, showsThinking);
      },
    };
  },
};

function toGenerationRequest(request: MessagesRequest): GenerationRequest {
  const choice = request.tool_choice;
  const alone = choice != null && 'disable_parallel_tool_use' in choice;
  return {
    model: request.model ?? undefined,
    messages: toMessages(request),
    params: { messages: 'messages', schema: 'output_config.format' },
    stream: request.stream === true,
    answers: 1,
    seed: undefined,
    maxTokens: request.max_tokens,
    stops: request.stop_sequences ?? [],
    tools: toTools(toFunctions(request), toChoice(request)),
    parallelToolCalls: !(alone && choice.disable_parallel_tool_use === true),
    parameters: {
      ...pick(request, passedOn),
      ...toThinking(request),
      ...toFormat(request),
    },
  };
}

function toThinking({ thinking, output_config }: MessagesRequest) {
  const effort = output_config?.effort;
  return {
    ...(thinking == null ? {} : { enable_thinking: thinking.type !== 'disabled' }),
    ...(thinking?.type === 'enabled' ? { thinking_budget: thinking.budget_tokens } : {}),
    ...(effort == null ? {} : { reasoning_effort: effort }),
  };
}

/** As chat completions have it, whose form is mlx_vlm's. */
function toFormat({ output_config }: MessagesRequest) {
  const format = output_config?.format;
  if (format == null) return {};
  const json_schema = { name: 'answer', schema: format.schema, strict: true };
  return { response_format: { type: 'json_schema', json_schema } };
}

function toFunctions({ tools }: MessagesRequest) {
  return tools?.map(({ name, description, input_schema: parameters }) => ({
    type: 'function' as const,
    function: { name, description, parameters },
  }));
}

function toChoice({ tool_choice: choice }: MessagesRequest) {
  switch (choice?.type) {
    case undefined:
      return undefined;
    case 'any':
      return 'required';
    case 'tool':
      return { type: 'function' as const, function: { name: choice.name } };
    default:
      return choice?.type;
  }
}
