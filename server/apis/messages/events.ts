import type {
  ContentBlock,
  RawContentBlockDelta,
  RawMessageStreamEvent,
} from '@anthropic-ai/sdk/resources/messages/messages';
import type { ApiError } from '../../errors.ts';
import type { Answer, AnswerDelta } from '../../generation/answer.ts';
import type { ToolCallDelta } from '../../generation/tool-calls.ts';
import type { AnswerEvents, AnswerHead } from '../dialect.ts';
import {
  beginMessage,
  textBlock,
  thinkingBlock,
  toAnthropicError,
  toMessageUsage,
  toolUseBlock,
  toStop,
} from './answer.ts';

/** Writes the events of Anthropic's Messages API: one block of content after the other. */
export class MessageEvents implements AnswerEvents {
  readonly #head: AnswerHead;
  readonly #showsThinking: boolean;
  #begun = false;
  #index = 0;
  /** What the open block is: a kind of text, or the call with this number. */
  #open: 'text' | 'thinking' | number | undefined;

  constructor(head: AnswerHead, showsThinking: boolean) {
    this.#head = head;
    this.#showsThinking = showsThinking;
  }

  delta(_index: number, { content, reasoning, toolCalls }: AnswerDelta, answer: Answer): string {
    let events = this.#begin(answer);
    if (reasoning !== '' && this.#showsThinking) {
      events += this.#into('thinking', () => thinkingBlock(''));
      events += this.#delta({ type: 'thinking_delta', thinking: reasoning });
    }
    if (content !== '') {
      events += this.#into('text', () => textBlock(''));
      events += this.#delta({ type: 'text_delta', text: content });
    }
    for (const call of toolCalls) events += this.#call(call);
    return events;
  }

  finish(_index: number, answer: Answer): string {
    let events = this.#begin(answer);
    if (this.#index === 0 && this.#open === undefined) {
      events += this.#into('text', () => textBlock(''));
    }
    return (
      events +
      this.#close() +
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

  fail(error: ApiError): string {
    const { type, error: told } = toAnthropicError(error, this.#head.requestId);
    return `event: error\ndata: ${JSON.stringify({ type, error: told })}\n\n`;
  }

  #begin(answer: Answer): string {
    if (this.#begun) return '';
    this.#begun = true;
    return toEvent({ type: 'message_start', message: beginMessage(this.#head, answer) });
  }

  #call({ index = 0, id = '', function: called }: ToolCallDelta): string {
    const events = this.#into(index, () => {
      return toolUseBlock({ id, name: called?.name ?? '' }, {});
    });
    const partial_json = called?.arguments ?? '';
    return partial_json === ''
      ? events
      : events + this.#delta({ type: 'input_json_delta', partial_json });
  }

  /** Opens a block of the kind unless it is open. */
  #into(kind: 'text' | 'thinking' | number, create: () => ContentBlock): string {
    if (this.#open === kind) return '';
    const events = this.#close();
    this.#open = kind;
    const content_block = create();
    return events + toEvent({ type: 'content_block_start', index: this.#index, content_block });
  }

  #delta(delta: RawContentBlockDelta): string {
    return toEvent({ type: 'content_block_delta', index: this.#index, delta });
  }

  #close(): string {
    if (this.#open === undefined) return '';
    const signed =
      this.#open === 'thinking' ? this.#delta({ type: 'signature_delta', signature: '' }) : '';
    const events = signed + toEvent({ type: 'content_block_stop', index: this.#index });
    this.#open = undefined;
    this.#index += 1;
    return events;
  }
}

function toEvent(event: RawMessageStreamEvent): string {
  return `event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`;
}
