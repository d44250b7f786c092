import type {
  ResponseCustomToolCallItem,
  ResponseFunctionToolCall,
  ResponseOutputItem,
  ResponseOutputMessage,
  ResponseOutputText,
  ResponseReasoningItem,
} from 'openai/resources/responses/responses';
import { type AnswerToolCall, toArguments, toUsage, type Usage } from '../../generation/answer.ts';
import type { AnswerHead, FinishedAnswer } from '../dialect.ts';
import type { ResponsesRequest } from './request.ts';
import type { ResponseBody } from './store.ts';

type ItemStatus = 'in_progress' | 'completed' | 'incomplete';

/** A response in progress: it repeats the request's parameters and has no output yet. */
export function createResponse(
  id: string,
  head: AnswerHead,
  request: ResponsesRequest,
  body: unknown,
) {
  return {
    id,
    object: 'response',
    created_at: head.created,
    completed_at: null,
    status: 'in_progress',
    background: false,
    error: null,
    incomplete_details: null,
    instructions: request.instructions ?? null,
    max_output_tokens:
      request.max_output_tokens === -1 ? null : (request.max_output_tokens ?? null),
    max_tool_calls: request.max_tool_calls ?? null,
    model: head.model,
    output: [],
    parallel_tool_calls: request.parallel_tool_calls ?? true,
    previous_response_id: request.previous_response_id ?? null,
    reasoning: { effort: request.reasoning?.effort ?? null, summary: null },
    service_tier: 'default',
    temperature: request.temperature ?? 0,
    presence_penalty: 0,
    frequency_penalty: 0,
    text: { format: toTextFormat(request), verbosity: 'medium' },
    tool_choice: repeatToolChoice(request, body),
    tools: repeatTools(request, body),
    top_logprobs: request.top_logprobs ?? 0,
    top_p: request.top_p ?? 1,
    truncation: request.truncation ?? 'disabled',
    access_programs: null,
    store: request.store !== false,
    user: request.user ?? null,
    safety_identifier: request.safety_identifier ?? null,
    prompt_cache_key: request.prompt_cache_key ?? null,
    usage: null,
    metadata: Object.fromEntries(
      Object.entries(request.metadata ?? {}).map(([key, value]) => [key, String(value)]),
    ),
  } satisfies ResponseBody;
}

/** The response with its output: completed, or incomplete if it reached its token limit. */
export function finishResponse(
  response: ResponseBody,
  output: ResponseOutputItem[],
  { answer }: Pick<FinishedAnswer, 'answer'>,
): ResponseBody {
  const isTruncated = answer.finishReason === 'length';
  return {
    ...response,
    status: isTruncated ? 'incomplete' : 'completed',
    completed_at: isTruncated ? null : Math.floor(Date.now() / 1000),
    incomplete_details: isTruncated ? { reason: 'max_output_tokens' } : null,
    output,
    usage: toResponseUsage(toUsage([answer])),
  };
}

/** The answer as output items, in the order in which the model generates them. */
export function toOutput(suffix: string, { answer, collected }: FinishedAnswer) {
  const { reasoning, content, toolCalls, logprobs } = collected;
  const status = answer.finishReason === 'length' ? 'incomplete' : 'completed';
  const output: ResponseOutputItem[] = [];
  if (reasoning !== '') output.push(toReasoningItem(`rs_${suffix}`, reasoning, status));
  if (content !== '' || toolCalls.length === 0) {
    output.push(toMessageItem(`msg_${suffix}`, [toTextPart(content, logprobs)], status));
  }
  for (const [index, call] of toolCalls.entries()) {
    const prefix = call.type === 'custom' ? 'ctc' : 'fc';
    output.push(toCallItem(`${prefix}_${suffix}_${index}`, call, status));
  }
  return output;
}

export function toTextPart(text: string, logprobs: readonly unknown[]): ResponseOutputText {
  return { type: 'output_text', text, annotations: [], logprobs: toLogprobs(logprobs) };
}

export function toMessageItem(id: string, content: ResponseOutputText[], status: ItemStatus) {
  return {
    id,
    type: 'message',
    status,
    role: 'assistant',
    content,
  } satisfies ResponseOutputMessage;
}

export function toReasoningItem(id: string, text: string, status: ItemStatus) {
  const content = text === '' ? [] : [{ type: 'reasoning_text' as const, text }];
  return { id, type: 'reasoning', summary: [], content, status } satisfies ResponseReasoningItem;
}

/** A tool call in the form in which the client sent the tool: with its namespace, or as custom. */
export function toCallItem(id: string, call: AnswerToolCall, answerStatus: ItemStatus) {
  const { id: call_id, type, namespace, name, arguments: text } = call;
  const isUnfinished = type !== 'custom' && toArguments(text) === undefined;
  const status = answerStatus === 'completed' && isUnfinished ? 'incomplete' : answerStatus;
  const common = { id, status, call_id, ...(namespace === undefined ? {} : { namespace }), name };
  return type === 'custom'
    ? ({ ...common, type: 'custom_tool_call', input: text } satisfies ResponseCustomToolCallItem)
    : ({ ...common, type: 'function_call', arguments: text } satisfies ResponseFunctionToolCall);
}

/** mlx_vlm's logprobs have OpenAI's form (`ChatLogprobContent` in its `schemas.py`). */
export function toLogprobs(logprobs: readonly unknown[]) {
  return logprobs as NonNullable<ResponseOutputText['logprobs']>;
}

function toResponseUsage(usage: Usage) {
  return {
    input_tokens: usage.promptTokens,
    input_tokens_details: { cached_tokens: usage.cachedTokens, cache_write_tokens: 0 },
    output_tokens: usage.completionTokens,
    output_tokens_details: { reasoning_tokens: usage.reasoningTokens },
    total_tokens: usage.promptTokens + usage.completionTokens,
  } satisfies ResponseBody['usage'];
}

/** The fields as sent, which may include fields that the schema drops. */
function asSent(body: unknown) {
  return body as Pick<ResponseBody, 'tool_choice'> & { tools?: ResponseBody['tools'] | null };
}

function repeatToolChoice(
  { tool_choice: choice }: ResponsesRequest,
  body: unknown,
): ResponseBody['tool_choice'] {
  if (choice === 'any') return 'required';
  const sent = asSent(body).tool_choice ?? 'auto';
  const isAllowedTools = typeof choice === 'object' && choice?.type === 'allowed_tools';
  return isAllowedTools ? Object.assign({}, sent, { mode: choice.mode }) : sent;
}

/** The tools as sent. Like OpenAI, adds the defaults that a function left out. */
function repeatTools({ tools }: ResponsesRequest, body: unknown): ResponseBody['tools'] {
  const sent = asSent(body).tools ?? [];
  return sent.map((tool, index) => {
    const parsed = tools?.[index];
    if (parsed?.type !== 'function') return tool;
    const { name, description = null, parameters, strict } = parsed;
    return {
      ...tool,
      type: 'function',
      name,
      description,
      parameters: parameters ?? {},
      strict: strict ?? false,
    };
  });
}

function toTextFormat({ text }: ResponsesRequest) {
  const format = text?.format;
  if (format == null) return { type: 'text' as const };
  if (format.type !== 'json_schema') return { type: format.type };
  const { description = null, strict, ...rest } = format;
  return { ...rest, description, strict: strict ?? false };
}
