import type {
  ContentBlock,
  Message,
  MessageDeltaUsage,
  StopReason,
  TextBlock,
} from '@anthropic-ai/sdk/resources/messages/messages';
import type { ApiError } from '../../errors.ts';
import { type Answer, type MadeToolCall, toArguments, toUsage } from '../../generation/answer.ts';
import type { AnswerHead, FinishedAnswer } from '../dialect.ts';

/** A message without content yet; the tokens of its prompt are known. */
export function beginMessage({ requestId, model }: AnswerHead, answer: Answer) {
  const { promptTokens, cachedTokens } = toUsage([answer]);
  return {
    id: `msg_${requestId}`,
    type: 'message',
    role: 'assistant',
    model,
    content: [],
    stop_reason: null,
    stop_sequence: null,
    stop_details: null,
    container: null,
    diagnostics: null,
    usage: {
      input_tokens: promptTokens - cachedTokens,
      output_tokens: 0,
      cache_creation: null,
      cache_creation_input_tokens: 0,
      cache_read_input_tokens: cachedTokens,
      inference_geo: null,
      output_tokens_details: null,
      server_tool_use: null,
      service_tier: 'standard',
      speed: null,
    },
  } satisfies Message;
}

/** The whole message; thinking is shown to those who asked for it. */
export function toMessageBody(
  head: AnswerHead,
  { answer, collected }: FinishedAnswer,
  showsThinking: boolean,
): Message {
  const { content, reasoning, toolCalls } = collected;
  const blocks: ContentBlock[] = [];
  if (showsThinking && reasoning !== '') blocks.push(thinkingBlock(reasoning));
  if (content !== '' || toolCalls.length === 0) blocks.push(textBlock(content));
  for (const call of toolCalls) {
    const input = toArguments(call.arguments);
    // An unfinished call as `tool_use` would look like one with other arguments.
    blocks.push(
      input === undefined ? textBlock(`${call.name} ${call.arguments}`) : toolUseBlock(call, input),
    );
  }
  const begun = beginMessage(head, answer);
  return {
    ...begun,
    content: blocks,
    ...toStop(answer),
    usage: { ...begun.usage, ...withoutNull(toMessageUsage(answer)) },
  };
}

/** Without `citations`: @ai-sdk/anthropic refuses an answer in which they are null. */
export function textBlock(text: string): ContentBlock {
  const block: Omit<TextBlock, 'citations'> = { type: 'text', text };
  return block as TextBlock;
}

export function thinkingBlock(thinking: string): ContentBlock {
  return { type: 'thinking', thinking, signature: '' };
}

export function toolUseBlock(
  { id, name }: Pick<MadeToolCall, 'id' | 'name'>,
  input: object,
): ContentBlock {
  return { type: 'tool_use', id, name, input, caller: { type: 'direct' } };
}

/** Why the answer ended, in Anthropic's words. */
export function toStop(answer: Answer) {
  const { stopSequence, finishReason } = answer;
  const reasons = { stop: 'end_turn', length: 'max_tokens', tool_calls: 'tool_use' } as const;
  const stop_reason: StopReason =
    stopSequence === undefined ? reasons[finishReason] : 'stop_sequence';
  return { stop_reason, stop_sequence: stopSequence ?? null };
}

/** As Anthropic counts: what the cache gave is not part of `input_tokens`. */
export function toMessageUsage(answer: Answer): MessageDeltaUsage {
  const { promptTokens, cachedTokens, completionTokens } = toUsage([answer]);
  return {
    input_tokens: promptTokens - cachedTokens,
    cache_creation_input_tokens: 0,
    cache_read_input_tokens: cachedTokens,
    output_tokens: completionTokens,
    output_tokens_details: null,
    server_tool_use: null,
  };
}

function withoutNull(usage: MessageDeltaUsage) {
  return { ...usage, input_tokens: usage.input_tokens ?? 0 };
}

/** Anthropic's error types by HTTP status (its API reference, "Errors"). */
const TYPES: Readonly<Record<number, string>> = {
  401: 'authentication_error',
  403: 'permission_error',
  404: 'not_found_error',
  413: 'request_too_large',
  429: 'rate_limit_error',
  503: 'overloaded_error',
  504: 'timeout_error',
};

/** The error as Anthropic's clients read it. */
export function toAnthropicError({ status, message }: ApiError, requestId: string) {
  const type = TYPES[status] ?? (status < 500 ? 'invalid_request_error' : 'api_error');
  return { type: 'error', error: { type, message }, request_id: requestId };
}
