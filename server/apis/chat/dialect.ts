import { InvalidRequestError } from '../../errors.ts';
import type { Message, TextPart, ToolCall } from '../../generation/conversation.ts';
import type { GenerationRequest } from '../../generation/request.ts';
import { ToolNames } from '../../generation/tools.ts';
import { type GivenTool, type ToolChoice, toTools } from '../client-tool.ts';
import type { Dialect } from '../dialect.ts';
import { findIgnored, type IgnoredFields, parseBody } from '../parse-body.ts';
import {
  pick,
  readAliases,
  readContinuation,
  readStops,
  readTokenLimit,
  runtimeParameters,
} from '../read-parameters.ts';
import { type Format, toResponseFormat } from '../structured-output.ts';
import { ChatCompletionEvents, toChatCompletion } from './answer.ts';
import {
  ChatCompletionRequest,
  type ChatMessage,
  type ChatToolCall,
  type NamedTool,
} from './request.ts';

const forwarded = runtimeParameters(ChatCompletionRequest);

/** OpenAI's chat completions. */
export const chatDialect: Dialect = {
  read(body) {
    const request = parseBody(ChatCompletionRequest, body);
    refuseContradictions(request);
    const ignored = findIgnored(body, request);
    const includeUsage = request.stream_options?.include_usage === true;
    return {
      request: toGenerationRequest(request, ignored),
      ignored,
      toBody: toChatCompletion,
      createEvents: (head) => new ChatCompletionEvents(head, includeUsage),
    };
  },
};

function toGenerationRequest(
  request: ChatCompletionRequest,
  ignored: IgnoredFields,
): GenerationRequest {
  const answerCount = request.n ?? 1;
  const own = pick(request, forwarded);
  const { parameters, ...aliases } = readAliases(request, own, ignored);
  const paths = { format: 'response_format', schema: 'response_format.json_schema.schema' };
  const format = toResponseFormat(request, toFormat(request), paths, ignored);
  const names = toToolNames(request);
  return {
    model: request.model ?? undefined,
    ...readContinuation(
      request,
      request.messages.map((message, index) => toMessage(message, index, names)),
    ),
    params: { messages: 'messages', schema: format.param },
    stream: request.stream === true,
    answerCount,
    seed: request.seed ?? undefined,
    maxTokens: readTokenLimit(request, 'max_completion_tokens', ignored),
    stopSequences: readStops(request, 'stop', ignored),
    tools: toTools(names, toChoice(request), ignored),
    parallelToolCalls: request.parallel_tool_calls !== false,
    parameters: {
      ...(answerCount > 1 ? { temperature: 1 } : {}), // otherwise all answers would be the same
      ...parameters,
      ...format.parameters,
    },
    ...aliases,
  };
}

function toFormat({ response_format: format }: ChatCompletionRequest): Format | undefined {
  if (format?.type !== 'json_schema') return format ?? undefined;
  const { schema, strict } = format.json_schema ?? { schema: format.schema };
  return { type: 'json_schema', schema, strict };
}

/** The tools to offer to the model, without the types that are ignored. */
function toToolNames({ tools }: ChatCompletionRequest): ToolNames<GivenTool> {
  const given = (tools ?? []).flatMap((tool, index): GivenTool[] => {
    const param = `tools.${index}`;
    if (tool === undefined) return [];
    return tool.type === 'custom'
      ? [{ type: tool.type, ...tool.custom, param, field: 'custom' }]
      : [{ type: tool.type, ...tool.function, param, field: 'function.parameters' }];
  });
  return new ToolNames(given);
}

function toChoice({ tool_choice: choice }: ChatCompletionRequest): ToolChoice | null | undefined {
  if (choice === 'any') return 'required';
  if (choice == null || typeof choice === 'string') return choice;
  if (choice.type === 'tool') {
    return { mode: 'required', tools: [{ type: 'function', name: choice.name }] };
  }
  if (choice.type !== 'allowed_tools') return { mode: 'required', tools: [toNamedTool(choice)] };
  const { mode, tools } = choice.allowed_tools;
  return { mode, tools: tools.map(toNamedTool) };
}

function toNamedTool(tool: NamedTool) {
  return {
    type: tool.type,
    name: tool.type === 'custom' ? tool.custom.name : tool.function.name,
  };
}

function toMessage(message: ChatMessage, index: number, names: ToolNames): Message {
  const path = `messages.${index}`;
  const { role } = message;
  const content = toParts(message.content, `${path}.content`);
  if (role === 'tool') return { role, content, toolCallId: message.tool_call_id };
  const name = message.name ?? undefined;
  if (role !== 'assistant') return { role, content, name };
  const { reasoning_content: reasoning, tool_calls: calls } = message;
  return {
    role,
    content,
    name,
    reasoning: reasoning == null ? undefined : asText(reasoning, `${path}.reasoning_content`),
    toolCalls: calls?.map((call, index) => toToolCall(call, `${path}.tool_calls.${index}`, names)),
  };
}

function toToolCall(call: ChatToolCall, path: string, names: ToolNames): ToolCall {
  const { id, type } = call;
  if (type === 'function') {
    const { name, arguments: text } = call.function;
    return {
      id,
      name: names.nameOf({ type, name }),
      arguments: text,
      param: `${path}.function.arguments`,
    };
  }
  const { name, input } = call.custom;
  const text = JSON.stringify({ input });
  return { id, name: names.nameOf({ type, name }), arguments: text, param: `${path}.custom.input` };
}

function toParts(content: ChatMessage['content'], path: string): Message['content'] {
  if (content == null) return [];
  if (typeof content === 'string') return [asText(content, path)];
  return content.map((part, index) => {
    const param = `${path}.${index}`;
    switch (part.type) {
      case 'text':
        return asText(part.text, `${param}.text`);
      case 'refusal':
        return asText(part.refusal, `${param}.refusal`);
      case 'image_url': {
        const { url, detail } = part.image_url;
        return { type: 'image', url, param, isLowDetail: detail === 'low' };
      }
      default:
        return part satisfies never;
    }
  });
}

function asText(text: string, param: string): TextPart {
  return { type: 'text', text, param };
}

/** Refuses, as OpenAI does, parameters that contradict each other or need another one. */
function refuseContradictions(request: ChatCompletionRequest): void {
  const { max_tokens, max_completion_tokens, logprobs, top_logprobs } = request;
  const bothLimits = max_tokens != null && max_completion_tokens != null;
  if (bothLimits && max_tokens !== max_completion_tokens) {
    throw new InvalidRequestError(
      '`max_tokens` and `max_completion_tokens` differ. Send only `max_completion_tokens`.',
      { param: 'max_tokens' },
    );
  }
  if (top_logprobs != null && logprobs !== true) {
    throw new InvalidRequestError(
      '`top_logprobs` requires `logprobs: true`. Send both or neither.',
      {
        param: 'top_logprobs',
      },
    );
  }
}
