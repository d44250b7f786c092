import type {
  ContentBlock,
  Message,
  MessageDeltaUsage,
  RawContentBlockDelta,
  RawMessageStreamEvent,
  StopReason,
  TextBlock,
} from '@anthropic-ai/sdk/resources/messages/messages';
import type { ApiError } from '../../errors.ts';
import {
  type Answer,
  type AnswerDelta,
  type AnswerToolCall,
  toArguments,
  toUsage,
} from '../../generation/answer.ts';
import type { ToolCallDelta } from '../../generation/tool-calls.ts';
import type { AnswerEvents, AnswerHead, FinishedAnswer } from '../dialect.ts';

/** Anthropic's complete `message`. Thinking is included only if the client turned it on. */
export function toMessageBody(
  head: AnswerHead,
  { answer, collected }: FinishedAnswer,
  showsThinking: boolean,
): Message {
  const { content, reasoning, toolCalls } = collected;
  const blocks: ContentBlock[] = [];
  if (showsThinking && reasoning !== '') blocks.push(toThinkingBlock(reasoning));
  if (content !== '' || toolCalls.length === 0) blocks.push(toTextBlock(content));
  for (const call of toolCalls) {
    const input = toArguments(call.arguments);
    // As `tool_use`, a truncated call would look like a complete one with other arguments.
    blocks.push(
      input === undefined
        ? toTextBlock(`${call.name} ${call.arguments}`)
        : toToolUseBlock(call, input),
    );
  }
  const message = createMessage(head, answer);
  const usage = toMessageUsage(answer);
  return {
    ...message,
    content: blocks,
    ...toStop(answer),
    usage: { ...message.usage, ...usage, input_tokens: usage.input_tokens ?? 0 },
  };
}

/** A message without content. The number of prompt tokens is already known. */
function createMessage({ requestId, model }: AnswerHead, answer: Answer) {
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

/** Has no `citations`, because @ai-sdk/anthropic rejects an answer where they are null. */
function toTextBlock(text: string): ContentBlock {
  const block: Omit<TextBlock, 'citations'> = { type: 'text', text };
  return block as TextBlock;
}

function toThinkingBlock(thinking: string): ContentBlock {
  return { type: 'thinking', thinking, signature: '' };
}

function toToolUseBlock(
  { id, name }: Pick<AnswerToolCall, 'id' | 'name'>,
  input: object,
): ContentBlock {
  return { type: 'tool_use', id, name, input, caller: { type: 'direct' } };
}

function toStop(answer: Answer) {
  const { stopSequence, finishReason } = answer;
  const reasons = { stop: 'end_turn', length: 'max_tokens', tool_calls: 'tool_use' } as const;
  const stop_reason: StopReason =
    stopSequence === undefined ? reasons[finishReason] : 'stop_sequence';
  return { stop_reason, stop_sequence: stopSequence ?? null };
}

/** In Anthropic's API, `input_tokens` does not include cached tokens. */
function toMessageUsage(answer: Answer): MessageDeltaUsage {
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

/** Anthropic's error types by HTTP status (its API reference, "Errors"). */
const ERROR_TYPES: Readonly<Record<number, string>> = {
  401: 'authentication_error',
  403: 'permission_error',
  404: 'not_found_error',
  413: 'request_too_large',
  429: 'rate_limit_error',
  503: 'overloaded_error',
  504: 'timeout_error',
};

/** The body of an error response in Anthropic's API. */
export function toAnthropicError({ status, message }: ApiError, requestId: string) {
  const type = ERROR_TYPES[status] ?? (status < 500 ? 'invalid_request_error' : 'api_error');
  return { type: 'error', error: { type, message }, request_id: requestId };
}

/** Writes the stream events of the Messages API: one content block after another. */
export class MessageEvents implements AnswerEvents {
  readonly #head: AnswerHead;
  readonly #showsThinking: boolean;
  #hasStarted = false;
  #index = 0;
  /** The open block: text, thinking, or the tool call with this index. */
  #open: 'text' | 'thinking' | number | undefined;

  constructor(head: AnswerHead, showsThinking: boolean) {
    this.#head = head;
    this.#showsThinking = showsThinking;
  }

  delta(_index: number, { content, reasoning, toolCalls }: AnswerDelta, answer: Answer): string {
    let events = this.#start(answer);
    if (reasoning !== '' && this.#showsThinking) {
      events += this.#openBlock('thinking', () => toThinkingBlock(''));
      events += this.#delta({ type: 'thinking_delta', thinking: reasoning });
    }
    if (content !== '') {
      events += this.#openBlock('text', () => toTextBlock(''));
      events += this.#delta({ type: 'text_delta', text: content });
    }
    for (const call of toolCalls) events += this.#toolCall(call);
    return events;
  }

  finish(_index: number, answer: Answer): string {
    let events = this.#start(answer);
    if (this.#index === 0 && this.#open === undefined) {
      events += this.#openBlock('text', () => toTextBlock(''));
    }
    return (
      events +
      this.#closeBlock() +
      toEvent({
        type: 'message_delta',
        delta: { ...toStop(answer), stop_details: null, container: null },
        usage: toMessageUsage(answer),
      }) +
      toEvent({ type: 'message_stop' })
    );
  }

  end(): string {
    return '';
  }

  fail(apiError: ApiError): string {
    const { type, error } = toAnthropicError(apiError, this.#head.requestId);
    return `event: error\ndata: ${JSON.stringify({ type, error })}\n\n`;
  }

  #start(answer: Answer): string {
    if (this.#hasStarted) return '';
    this.#hasStarted = true;
    return toEvent({ type: 'message_start', message: createMessage(this.#head, answer) });
  }

  #toolCall({ index = 0, id = '', function: called }: ToolCallDelta): string {
    const events = this.#openBlock(index, () =>
      toToolUseBlock({ id, name: called?.name ?? '' }, {}),
    );
    const partial_json = called?.arguments ?? '';
    return partial_json === ''
      ? events
      : events + this.#delta({ type: 'input_json_delta', partial_json });
  }

  /** Closes the open block and opens one of this kind, unless one is already open. */
  #openBlock(kind: 'text' | 'thinking' | number, create: () => ContentBlock): string {
    if (this.#open === kind) return '';
    const events = this.#closeBlock();
    this.#open = kind;
    const content_block = create();
    return events + toEvent({ type: 'content_block_start', index: this.#index, content_block });
  }

  #delta(delta: RawContentBlockDelta): string {
    return toEvent({ type: 'content_block_delta', index: this.#index, delta });
  }

  #closeBlock(): string {
    if (this.#open === undefined) return '';
    const signature =
      this.#open === 'thinking' ? this.#delta({ type: 'signature_delta', signature: '' }) : '';
    const events = signature + toEvent({ type: 'content_block_stop', index: this.#index });
    this.#open = undefined;
    this.#index += 1;
    return events;
  }
}

function toEvent(event: RawMessageStreamEvent): string {
  return `event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`;
}
