import type {
  ResponseErrorEvent,
  ResponseFunctionCallArgumentsDoneEvent,
  ResponseOutputItem,
  ResponseStreamEvent,
} from 'openai/resources/responses/responses';
import type { ApiError } from '../../errors.ts';
import type { Answer, AnswerDelta, AnswerToolCall } from '../../generation/answer.ts';
import type { ToolCallDelta } from '../../generation/tool-calls.ts';
import type { AnswerEvents } from '../dialect.ts';
import {
  finishResponse,
  toCallItem,
  toLogprobs,
  toMessageItem,
  toReasoningItem,
  toTextPart,
} from './answer.ts';
import type { ResponseBody } from './store.ts';

/**
 * Writes the stream events of OpenAI's Responses API: the new response, then each item with its
 * parts and deltas, one item after another, and the finished response.
 */
export class ResponseEvents implements AnswerEvents {
  readonly #response: ResponseBody;
  readonly #suffix: string;
  readonly #onEnd: (body: ResponseBody) => void;
  readonly #output: ResponseOutputItem[] = [];
  #open: OpenItem | undefined;
  #sequence = 0;

  /** Item ids end in `suffix`. `onEnd` is called with the complete response. */
  constructor(response: ResponseBody, suffix: string, onEnd: (body: ResponseBody) => void) {
    this.#response = response;
    this.#suffix = suffix;
    this.#onEnd = onEnd;
  }

  delta(_index: number, { content, reasoning, toolCalls, logprobs }: AnswerDelta): string {
    let events = this.#start();
    if (reasoning !== '') events += this.#text('reasoning', reasoning, []);
    if (content !== '') events += this.#text('message', content, logprobs);
    for (const call of toolCalls) events += this.#call(call);
    return events;
  }

  finish(_index: number, answer: Answer): string {
    let events = this.#start();
    if (this.#output.length === 0 && this.#open === undefined) {
      events += this.#text('message', '', []); // an empty answer still has a message
    }
    events += this.#close(answer.finishReason === 'length' ? 'incomplete' : 'completed');
    const response = finishResponse(this.#response, this.#output, { answer });
    this.#onEnd(response);
    const type = response.status === 'incomplete' ? 'response.incomplete' : 'response.completed';
    return events + this.#write([{ type, response: asResponse(response) }]);
  }

  end(): string {
    return '';
  }

  fail({ status, message, code, param, type }: ApiError): string {
    const response = asResponse({
      ...this.#response,
      status: 'failed',
      error: { code: status < 500 ? 'invalid_prompt' : 'server_error', message },
      output: this.#output,
    });
    return (
      this.#start() +
      this.#write([
        { type: 'response.failed', response },
        // OpenAI's event has the error's fields at the top level, Open Responses' in `error`.
        { type: 'error', message, code, param, error: { type, message, code, param } },
      ])
    );
  }

  #start(): string {
    if (this.#sequence > 0) return '';
    const response = asResponse(this.#response);
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
    const { item, events } = this.#openNext((at) => new TextItem(kind, id, at));
    return events + this.#write(item.add(delta, logprobs));
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
    const { item, events } = this.#openNext((at) => new CallItem(index, call, itemId, at));
    return events + this.#write(item.add(delta));
  }

  #openNext<Item extends OpenItem>(create: (outputIndex: number) => Item) {
    const closed = this.#close('completed');
    const item = create(this.#output.length);
    this.#open = item;
    return { item, events: closed + this.#write(item.start()) };
  }

  /** Ends the open item and adds it to the output. */
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

/** The SDK's type has `output_text`, and not the nulls that Open Responses requires. */
function asResponse(body: ResponseBody) {
  return body as unknown as Extract<ResponseStreamEvent, { type: 'response.created' }>['response'];
}

type Unnumbered<Event> = Event extends unknown ? Omit<Event, 'sequence_number'> : never;

/** OpenAI's specification requires the function's name here, but the SDK's type lacks it. */
type CallDone = Unnumbered<ResponseFunctionCallArgumentsDoneEvent> & { name: string };
type ErrorEvent = Unnumbered<ResponseErrorEvent> & {
  error: { type: string; message: string; code: string | null; param: string | null };
};

/** An event of the Responses API without its number, which is added when it is written. */
type ResponseEvent = Unnumbered<ResponseStreamEvent> | CallDone | ErrorEvent;

type ItemStatus = 'in_progress' | 'completed' | 'incomplete';

/** An output item that is being generated, and its events. */
interface OpenItem {
  start(): ResponseEvent[];
  end(): ResponseEvent[];
  toItem(status: ItemStatus): ResponseOutputItem;
}

/** The text or the reasoning of an answer: an item with one part. */
class TextItem implements OpenItem {
  readonly kind: 'message' | 'reasoning';
  readonly #place: { item_id: string; output_index: number; content_index: number };
  readonly #logprobs: unknown[] = [];
  #text = '';

  constructor(kind: 'message' | 'reasoning', id: string, outputIndex: number) {
    this.kind = kind;
    this.#place = { item_id: id, output_index: outputIndex, content_index: 0 };
  }

  start(): ResponseEvent[] {
    const item = this.toItem('in_progress');
    if (item.type === 'message') item.content = [];
    const { output_index } = this.#place;
    return [
      { type: 'response.output_item.added', output_index, item },
      { type: 'response.content_part.added', ...this.#place, part: this.#toPart() },
    ];
  }

  add(delta: string, logprobs: readonly unknown[]): ResponseEvent[] {
    if (delta === '') return [];
    this.#text += delta;
    this.#logprobs.push(...logprobs);
    const fields = { ...this.#place, delta };
    return this.kind === 'message'
      ? [{ type: 'response.output_text.delta', ...fields, logprobs: toLogprobs(logprobs) }]
      : [{ type: 'response.reasoning_text.delta', ...fields }];
  }

  end(): ResponseEvent[] {
    const fields = { ...this.#place, text: this.#text };
    const logprobs = toLogprobs(this.#logprobs);
    return [
      this.kind === 'message'
        ? { type: 'response.output_text.done', ...fields, logprobs }
        : { type: 'response.reasoning_text.done', ...fields },
      { type: 'response.content_part.done', ...this.#place, part: this.#toPart() },
    ];
  }

  toItem(status: ItemStatus): ResponseOutputItem {
    const { item_id } = this.#place;
    return this.kind === 'message'
      ? toMessageItem(item_id, [toTextPart(this.#text, this.#logprobs)], status)
      : toReasoningItem(item_id, this.#text, status);
  }

  #toPart() {
    return this.kind === 'message'
      ? toTextPart(this.#text, this.#logprobs)
      : { type: 'reasoning_text' as const, text: this.#text };
  }
}

/** A call of a function or a custom tool. */
class CallItem implements OpenItem {
  /** The index of the call in the answer, which its deltas refer to. */
  readonly index: number;
  readonly #call: AnswerToolCall;
  readonly #place: { item_id: string; output_index: number };

  constructor(index: number, call: AnswerToolCall, id: string, outputIndex: number) {
    this.index = index;
    this.#call = { ...call };
    this.#place = { item_id: id, output_index: outputIndex };
  }

  start(): ResponseEvent[] {
    const { output_index } = this.#place;
    const item = this.toItem('in_progress');
    return [{ type: 'response.output_item.added', output_index, item }];
  }

  add(delta: string): ResponseEvent[] {
    if (delta === '') return [];
    this.#call.arguments += delta;
    return this.#call.type === 'custom'
      ? [{ type: 'response.custom_tool_call_input.delta', ...this.#place, delta }]
      : [{ type: 'response.function_call_arguments.delta', ...this.#place, delta }];
  }

  end(): ResponseEvent[] {
    const { type, name, arguments: text } = this.#call;
    return type === 'custom'
      ? [{ type: 'response.custom_tool_call_input.done', ...this.#place, input: text }]
      : [{ type: 'response.function_call_arguments.done', ...this.#place, name, arguments: text }];
  }

  toItem(status: ItemStatus): ResponseOutputItem {
    return toCallItem(this.#place.item_id, this.#call, status);
  }
}
