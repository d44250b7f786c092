import type { ResponseOutputItem, ResponseStreamEvent } from 'openai/resources/responses/responses';
import type { Answer, AnswerDelta } from '../generation/answer.ts';
import type { AnswerEvents } from '../generation/dialect.ts';
import type { ToolCallDelta } from '../generation/tool-calls.ts';
import type { ApiError } from './api-error.ts';
import { finishResponse } from './response-body.ts';
import {
  CallItem,
  type GrowingItem,
  type ResponseEvent,
  TextItem,
} from './response-item-events.ts';
import type { ResponseBody } from './response-store.ts';

/**
 * Writes the events of OpenAI's Responses API: the response as it begins, each item with its parts
 * and deltas, the response as it ended. Items come one after the other, as the model makes them.
 */
export class ResponseEvents implements AnswerEvents {
  readonly #begun: ResponseBody;
  readonly #suffix: string;
  readonly #onEnd: (body: ResponseBody) => void;
  readonly #output: ResponseOutputItem[] = [];
  #open: GrowingItem | undefined;
  #sequence = 0;

  /** Ids of items end in `suffix`; `onEnd` is told of the response when it is complete. */
  constructor(begun: ResponseBody, suffix: string, onEnd: (body: ResponseBody) => void) {
    this.#begun = begun;
    this.#suffix = suffix;
    this.#onEnd = onEnd;
  }

  delta(_index: number, { content, reasoning, toolCalls, logprobs }: AnswerDelta): string {
    let events = this.#begin();
    if (reasoning !== '') events += this.#text('reasoning', reasoning, []);
    if (content !== '') events += this.#text('message', content, logprobs);
    for (const call of toolCalls) events += this.#call(call);
    return events;
  }

  finish(_index: number, answer: Answer): string {
    let events = this.#begin();
    if (this.#output.length === 0 && this.#open === undefined) {
      events += this.#text('message', '', []); // an answer without a word is one all the same
    }
    events += this.#close(answer.finishReason === 'length' ? 'incomplete' : 'completed');
    const response = finishResponse(this.#begun, this.#output, { answer });
    this.#onEnd(response);
    const type = response.status === 'incomplete' ? 'response.incomplete' : 'response.completed';
    return events + this.#write([{ type, response: asResponse(response) }]);
  }

  end(): string {
    return '';
  }

  fail({ status, message, code, param, type }: ApiError): string {
    const response = asResponse({
      ...this.#begun,
      status: 'failed',
      error: { code: status < 500 ? 'invalid_prompt' : 'server_error', message },
      output: this.#output,
    });
    return (
      this.#begin() +
      this.#write([
        { type: 'response.failed', response },
        // OpenAI's event has the error itself, that of Open Responses in a field of its own.
        { type: 'error', message, code, param, error: { type, message, code, param } },
      ])
    );
  }

  #begin(): string {
    if (this.#sequence > 0) return '';
    const response = asResponse(this.#begun);
    return this.#write([
      { type: 'response.created', response },
      { type: 'response.in_progress', response },
    ]);
  }

  #text(kind: TextItem['kind'], delta: string, logprobs: readonly unknown[]): string {
    const open = this.#open;
    if (open instanceof TextItem && open.kind === kind) {
      return this.#write(open.add(delta, logprobs));
    }
    const id = this.#newId(kind === 'message' ? 'msg' : 'rs');
    const begun = this.#openNext((at) => new TextItem(kind, id, at));
    return begun.events + this.#write(begun.item.add(delta, logprobs));
  }

  #call({ index = 0, id = '', type, namespace, function: called }: ToolCallDelta): string {
    const delta = called?.arguments ?? '';
    const open = this.#open;
    if (open instanceof CallItem && open.index === index) return this.#write(open.add(delta));
    const isCustom = type === 'custom';
    const call = {
      id,
      type: isCustom ? ('custom' as const) : ('function' as const),
      ...(namespace === undefined ? {} : { namespace }),
      name: called?.name ?? '',
      arguments: '',
    };
    const itemId = this.#newId(isCustom ? 'ctc' : 'fc');
    const begun = this.#openNext((at) => new CallItem(index, call, itemId, at));
    return begun.events + this.#write(begun.item.add(delta));
  }

  #openNext<Item extends GrowingItem>(create: (outputIndex: number) => Item) {
    const closed = this.#close('completed');
    const item = create(this.#output.length);
    this.#open = item;
    return { item, events: closed + this.#write(item.begin()) };
  }

  /** The events that end the open item, which joins the output. */
  #close(status: 'completed' | 'incomplete'): string {
    if (this.#open === undefined) return '';
    const item = this.#open.toItem(status);
    const output_index = this.#output.length;
    const done = { type: 'response.output_item.done', output_index, item } as const;
    const events = this.#write([...this.#open.end(), done]);
    this.#output.push(item);
    this.#open = undefined;
    return events;
  }

  #newId(prefix: string): string {
    return `${prefix}_${this.#suffix}_${this.#sequence}`;
  }

  #write(events: readonly ResponseEvent[]): string {
    let text = '';
    for (const event of events) {
      const data = JSON.stringify({ ...event, sequence_number: this.#sequence });
      this.#sequence += 1;
      text += `event: ${event.type}\ndata: ${data}\n\n`;
    }
    return text;
  }
}

/** The clients' type adds `output_text`, and lacks the nulls of Open Responses. */
function asResponse(body: ResponseBody) {
  return body as unknown as Extract<ResponseStreamEvent, { type: 'response.created' }>['response'];
}
