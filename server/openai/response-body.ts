import type {
  ResponseFunctionToolCall,
  ResponseOutputItem,
  ResponseOutputMessage,
  ResponseOutputText,
  ResponseReasoningItem,
} from 'openai/resources/responses/responses';
import type { AnswerHead, FinishedAnswer } from '../generation/dialect.ts';
import { toUsage, type Usage } from '../generation/usage.ts';
import { placeTools } from './function-tool.ts';
import type { ResponseBody } from './response-store.ts';
import type { ResponsesRequest } from './responses-request.ts';

type ItemStatus = 'in_progress' | 'completed' | 'incomplete';

/** A response that has only begun: what was asked, and nothing answered yet. */
export function beginResponse(id: string, head: AnswerHead, request: ResponsesRequest) {
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
    text: { format: textFormat(request), verbosity: 'medium' },
    tool_choice: request.tool_choice ?? 'auto',
    tools: placeTools(request.tools).map(({ tool }) => ({
      type: 'function',
      name: tool.name,
      description: tool.description ?? null,
      parameters: tool.parameters ?? {},
      strict: tool.strict ?? false,
    })),
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

/** The response with what was answered, complete or cut short by its limit of tokens. */
export function finishResponse(
  begun: ResponseBody,
  output: ResponseOutputItem[],
  { answer }: Pick<FinishedAnswer, 'answer'>,
): ResponseBody {
  const isCut = answer.finishReason === 'length';
  return {
    ...begun,
    status: isCut ? 'incomplete' : 'completed',
    completed_at: isCut ? null : Math.floor(Date.now() / 1000),
    incomplete_details: isCut ? { reason: 'max_output_tokens' } : null,
    output,
    usage: toResponseUsage(toUsage([answer])),
  };
}

/** Everything an answer has said, as items in the order of a model's turn. */
export function toOutput(suffix: string, { answer, collected }: FinishedAnswer) {
  const { reasoning, content, toolCalls, logprobs } = collected;
  const status = answer.finishReason === 'length' ? 'incomplete' : 'completed';
  const output: ResponseOutputItem[] = [];
  if (reasoning !== '') output.push(reasoningItem(`rs_${suffix}`, reasoning, status));
  if (content !== '' || toolCalls.length === 0) {
    output.push(messageItem(`msg_${suffix}`, [textPart(content, logprobs)], status));
  }
  for (const [at, call] of toolCalls.entries()) {
    output.push(callItem(`fc_${suffix}_${at}`, call, status));
  }
  return output;
}

export function textPart(text: string, logprobs: readonly unknown[]): ResponseOutputText {
  return { type: 'output_text', text, annotations: [], logprobs: toLogprobs(logprobs) };
}

export function messageItem(id: string, content: ResponseOutputText[], status: ItemStatus) {
  return {
    id,
    type: 'message',
    status,
    role: 'assistant',
    content,
  } satisfies ResponseOutputMessage;
}

export function reasoningItem(id: string, text: string, status: ItemStatus) {
  const content = text === '' ? [] : [{ type: 'reasoning_text' as const, text }];
  return { id, type: 'reasoning', summary: [], content, status } satisfies ResponseReasoningItem;
}

export function callItem(
  id: string,
  call: { id: string; name: string; arguments: string },
  status: ItemStatus,
) {
  return {
    id,
    type: 'function_call',
    call_id: call.id,
    name: call.name,
    arguments: call.arguments,
    status,
  } satisfies ResponseFunctionToolCall;
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

function textFormat({ text }: ResponsesRequest) {
  const format = text?.format;
  if (format == null) return { type: 'text' as const };
  if (format.type !== 'json_schema') return { type: format.type };
  const { description = null, strict, ...rest } = format;
  return { ...rest, description, strict: strict ?? false };
}
