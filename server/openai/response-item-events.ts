import type {
  ResponseErrorEvent,
  ResponseFunctionCallArgumentsDoneEvent,
  ResponseOutputItem,
  ResponseStreamEvent,
} from 'openai/resources/responses/responses';
import type { MadeToolCall } from '../generation/collected-answer.ts';
import { callItem, messageItem, reasoningItem, textPart, toLogprobs } from './response-body.ts';

type Unnumbered<Event> = Event extends unknown ? Omit<Event, 'sequence_number'> : never;
/** OpenAI's specification wants the name of a function with its arguments, the client's type not. */
type CallDone = Unnumbered<ResponseFunctionCallArgumentsDoneEvent> & { name: string };
type ErrorEvent = Unnumbered<ResponseErrorEvent> & {
  error: { type: string; message: string; code: string | null; param: string | null };
};
/** An event of the Responses API, but for its number, which is given as it is written. */
export type ResponseEvent = Unnumbered<ResponseStreamEvent> | CallDone | ErrorEvent;

type ItemStatus = 'in_progress' | 'completed' | 'incomplete';

/** One item of a response as it grows, and the events that tell of it. */
export interface GrowingItem {
  begin(): ResponseEvent[];
  end(): ResponseEvent[];
  toItem(status: ItemStatus): ResponseOutputItem;
}

/** The text of an answer, or its reasoning: an item of one part. */
export class TextItem implements GrowingItem {
  readonly kind: 'message' | 'reasoning';
  readonly #place: { item_id: string; output_index: number; content_index: number };
  readonly #logprobs: unknown[] = [];
  #text = '';

  constructor(kind: 'message' | 'reasoning', id: string, outputIndex: number) {
    this.kind = kind;
    this.#place = { item_id: id, output_index: outputIndex, content_index: 0 };
  }

  begin(): ResponseEvent[] {
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
    const said = { ...this.#place, delta };
    return this.kind === 'message'
      ? [{ type: 'response.output_text.delta', ...said, logprobs: toLogprobs(logprobs) }]
      : [{ type: 'response.reasoning_text.delta', ...said }];
  }

  end(): ResponseEvent[] {
    const said = { ...this.#place, text: this.#text };
    const logprobs = toLogprobs(this.#logprobs);
    return [
      this.kind === 'message'
        ? { type: 'response.output_text.done', ...said, logprobs }
        : { type: 'response.reasoning_text.done', ...said },
      { type: 'response.content_part.done', ...this.#place, part: this.#toPart() },
    ];
  }

  toItem(status: ItemStatus): ResponseOutputItem {
    const { item_id } = this.#place;
    return this.kind === 'message'
      ? messageItem(item_id, [textPart(this.#text, this.#logprobs)], status)
      : reasoningItem(item_id, this.#text, status);
  }

  #toPart() {
    return this.kind === 'message'
      ? textPart(this.#text, this.#logprobs)
      : { type: 'reasoning_text' as const, text: this.#text };
  }
}

/** A call of a function or of a custom tool. */
export class CallItem implements GrowingItem {
  /** Its number among the calls of the answer, by which its pieces come. */
  readonly index: number;
  readonly #call: MadeToolCall;
  readonly #place: { item_id: string; output_index: number };

  constructor(index: number, call: MadeToolCall, id: string, outputIndex: number) {
    this.index = index;
    this.#call = { ...call };
    this.#place = { item_id: id, output_index: outputIndex };
  }

  begin(): ResponseEvent[] {
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
    return callItem(this.#place.item_id, this.#call, status);
  }
}
