import type { ResponseOutputItem, ResponseStreamEvent } from 'openai/resources/responses/responses';
import type { Answer, AnswerDelta } from '../generation/answer.ts';
import type { AnswerEvents } from '../generation/dialect.ts';
import type { RuntimeToolCallDelta } from '../runtime/chat-protocol.ts';
import type { ApiError } from './api-error.ts';
import {
  callItem,
  finishResponse,
  messageItem,
  reasoningItem,
  textPart,
  toLogprobs,
} from './response-body.ts';
import type { ResponseBody } from './response-store.ts';

/** The event without its number, which is given as it is written. */
type Unnumbered<Event> = Event extends unknown ? Omit<Event, 'sequence_number'> : never;
type EventBody = Unnumbered<ResponseStreamEvent>;

/** The item that is being answered, and what it has said. */
type OpenText = {
  kind: 'reasoning' | 'message';
  id: string;
  text: string;
  logprobs: unknown[];
};
type Open =
  | OpenText
  | { kind: 'call'; id: string; index: number; callId: string; name: string; text: string };

/**
 * Writes the events of OpenAI's Responses API: the response as it begins, each item with its parts
 * and deltas, the response as it ended. Items come one after the other, as the model makes them.
 */
export class ResponseEvents implements AnswerEvents {
  readonly #begun: ResponseBody;
  readonly #suffix: string;
  readonly #onEnd: (body: ResponseBody) => void;
  readonly #output: ResponseOutputItem[] = [];
  #sequence = 0;
  #open: Open | undefined;

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
    if (this.#output.length === 0 && this.#open === undefined)
      events += this.#text('message', '', []);
    events += this.#close(answer.finishReason === 'length' ? 'incomplete' : 'completed');
    const response = finishResponse(this.#begun, this.#output, { answer });
    this.#onEnd(response);
    const type = response.status === 'incomplete' ? 'response.incomplete' : 'response.completed';
    return events + this.#event({ type, response: asResponse(response) });
  }

  end(): string {
    return '';
  }

  fail(error: ApiError): string {
    const { message, code, param } = error;
    const response = {
      ...this.#begun,
      status: 'failed' as const,
      error: {
        code: error.status < 500 ? ('invalid_prompt' as const) : ('server_error' as const),
        message,
      },
      output: this.#output,
    };
    const failed = this.#event({ type: 'response.failed', response: asResponse(response) });
    return this.#begin() + this.#event({ type: 'error', message, code, param }) + failed;
  }

  #begin(): string {
    if (this.#sequence > 0) return '';
    const response = asResponse(this.#begun);
    return (
      this.#event({ type: 'response.created', response }) +
      this.#event({ type: 'response.in_progress', response })
    );
  }

  #text(kind: OpenText['kind'], delta: string, logprobs: readonly unknown[]): string {
    let events = '';
    let open = this.#open;
    if (open?.kind !== kind) {
      events = this.#close('completed');
      open = { kind, id: this.#newId(kind === 'message' ? 'msg' : 'rs'), text: '', logprobs: [] };
      events += this.#added(open) + this.#part('response.content_part.added', open);
      this.#open = open;
    }
    if (delta === '') return events;
    open.text += delta;
    open.logprobs.push(...logprobs);
    const place = { item_id: open.id, output_index: this.#output.length, content_index: 0, delta };
    return (
      events +
      this.#event(
        kind === 'message'
          ? { type: 'response.output_text.delta', ...place, logprobs: toLogprobs(logprobs) }
          : { type: 'response.reasoning_text.delta', ...place },
      )
    );
  }

  #call({ index = 0, id, function: called }: RuntimeToolCallDelta): string {
    let events = '';
    if (this.#open?.kind !== 'call' || this.#open.index !== index) {
      events = this.#close('completed');
      const [callId, name] = [id ?? '', called?.name ?? ''];
      this.#open = { kind: 'call', id: this.#newId('fc'), index, callId, name, text: '' };
      events += this.#added(this.#open);
    }
    const delta = called?.arguments ?? '';
    if (delta === '') return events;
    this.#open.text += delta;
    const place = { item_id: this.#open.id, output_index: this.#output.length };
    return (
      events + this.#event({ type: 'response.function_call_arguments.delta', ...place, delta })
    );
  }

  /** The events that end the open item, which joins the output. */
  #close(status: 'completed' | 'incomplete'): string {
    const open = this.#open;
    if (open === undefined) return '';
    const place = { item_id: open.id, output_index: this.#output.length };
    let events: string;
    if (open.kind === 'call') {
      const type = 'response.function_call_arguments.done';
      events = this.#event({ type, ...place, arguments: open.text });
    } else {
      const text = { ...place, content_index: 0, text: open.text };
      events = this.#event(
        open.kind === 'message'
          ? { type: 'response.output_text.done', ...text, logprobs: toLogprobs(open.logprobs) }
          : { type: 'response.reasoning_text.done', ...text },
      );
      events += this.#part('response.content_part.done', open);
    }
    const item = toItem(open, status);
    events += this.#event({
      type: 'response.output_item.done',
      output_index: place.output_index,
      item,
    });
    this.#output.push(item);
    this.#open = undefined;
    return events;
  }

  #added(open: Open): string {
    const item = toItem(open, 'in_progress');
    if (item.type === 'message') item.content = [];
    const output_index = this.#output.length;
    return this.#event({ type: 'response.output_item.added', output_index, item });
  }

  #part(type: 'response.content_part.added' | 'response.content_part.done', open: Open): string {
    if (open.kind === 'call') return '';
    const part =
      open.kind === 'message'
        ? textPart(open.text, open.logprobs)
        : { type: 'reasoning_text' as const, text: open.text };
    const place = { item_id: open.id, output_index: this.#output.length, content_index: 0 };
    return this.#event({ type, ...place, part });
  }

  #newId(prefix: string): string {
    return `${prefix}_${this.#suffix}_${this.#output.length}`;
  }

  #event(body: EventBody): string {
    const data = JSON.stringify({ ...body, sequence_number: this.#sequence });
    this.#sequence += 1;
    return `event: ${body.type}\ndata: ${data}\n\n`;
  }
}

function toItem(open: Open, status: 'in_progress' | 'completed' | 'incomplete') {
  switch (open.kind) {
    case 'call':
      return callItem(open.id, { id: open.callId, name: open.name, arguments: open.text }, status);
    case 'reasoning':
      return reasoningItem(open.id, open.text, status);
    case 'message':
      return messageItem(open.id, [textPart(open.text, open.logprobs)], status);
    default:
      return open satisfies never;
  }
}

/** The clients' type has a field of their own making, `output_text`. */
function asResponse(body: ResponseBody) {
  return body as Extract<ResponseStreamEvent, { type: 'response.created' }>['response'];
}
