import { InvalidRequestError } from '../../errors.ts';
import type { Message, TextPart, ToolCall } from '../../generation/conversation.ts';
import type { GenerationRequest } from '../../generation/request.ts';
import type { ToolNames } from '../../generation/tools.ts';
import { toTools } from '../client-tool.ts';
import type { Dialect } from '../dialect.ts';
import { pick, runtimeParameters } from '../fields.ts';
import { readContinuation, readSpellings, readStops, readTokenLimit } from '../other-servers.ts';
import { findIgnored, type IgnoredFields, parseBody } from '../parse-body.ts';
import { type Format, toResponseFormat } from '../structured-output.ts';
import { ChatCompletionEvents, toChatCompletion } from './answer.ts';
import {
  ChatCompletionRequest,
  type ChatMessage,
  type ChatToolCall,
  toChatChoice,
  toChatToolNames,
} from './request.ts';

const passedOn = runtimeParameters(ChatCompletionRequest);

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

/** What a request for chat completions asks of the model. */
export function toGenerationRequest(
  request: ChatCompletionRequest,
  ignored: IgnoredFields,
): GenerationRequest {
  const answers = request.n ?? 1;
  const own = pick(request, passedOn);
  const { parameters, ...wishes } = readSpellings(request, own, ignored);
  const at = { format: 'response_format', schema: 'response_format.json_schema.schema' };
  const format = toResponseFormat(request, toFormat(request), at, ignored);
  const names = toChatToolNames(request.tools);
  return {
    model: request.model ?? undefined,
    ...readContinuation(
      request,
      request.messages.map((message, index) => toMessage(message, index, names)),
    ),
    params: { messages: 'messages', schema: format.param },
    stream: request.stream === true,
    answers,
    seed: request.seed ?? undefined,
    maxTokens: readTokenLimit(request, 'max_completion_tokens', ignored),
    stops: readStops(request, 'stop', ignored),
    tools: toTools(names, toChatChoice(request.tool_choice), ignored),
    parallelToolCalls: request.parallel_tool_calls !== false,
    parameters: {
      ...(answers > 1 ? { temperature: 1 } : {}), // without it every answer would be the same
      ...parameters,
      ...format.parameters,
    },
    ...wishes,
  };
}

function toFormat({ response_format: format }: ChatCompletionRequest): Format | undefined {
  if (format?.type !== 'json_schema') return format ?? undefined;
  const { schema, strict } = format.json_schema ?? { schema: format.schema };
  return { type: 'json_schema', schema, strict };
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
    toolCalls: calls?.map((call, at) => toToolCall(call, `${path}.tool_calls.${at}`, names)),
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
  return content.map((part, at) => {
    const param = `${path}.${at}`;
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

/** As OpenAI: parameters that cannot both be meant, or mean nothing without another. */
function refuseContradictions(request: ChatCompletionRequest): void {
  const { max_tokens, max_completion_tokens, logprobs, top_logprobs } = request;
  const bothLimits = max_tokens != null && max_completion_tokens != null;
  if (bothLimits && max_tokens !== max_completion_tokens) {
    throw new InvalidRequestError(
      'Expected `max_tokens` to be left out beside `max_completion_tokens`, which replaces it.',
      { param: 'max_tokens' },
    );
  }
  if (top_logprobs != null && logprobs !== true) {
    throw new InvalidRequestError('Expected `logprobs` to be true beside `top_logprobs`.', {
      param: 'top_logprobs',
    });
  }
}
