import type { Response } from 'openai/resources/responses/responses';
import { InvalidRequestError } from './api-error.ts';
import type { ConversationItem } from './responses-item.ts';

/** What OpenAI's API gives of a response; `output_text` is made by its clients. */
export type ResponseBody = Omit<Response, 'output_text'>;

export interface StoredResponse {
  body: ResponseBody;
  /** The input of this request alone. */
  input: readonly ConversationItem[];
  /** The whole conversation so far: inputs and answers, from its first request on. */
  conversation: readonly ConversationItem[];
}

/**
 * Keeps answered responses for `previous_response_id`, `item_reference` and `GET`: in memory, the
 * oldest dropped first. Nothing is ever written to disk.
 */
export class ResponseStore {
  #maxBytes: number;
  readonly #stored = new Map<string, StoredResponse & { bytes: number }>();
  #bytes = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  save(stored: StoredResponse): void {
    const bytes = Buffer.byteLength(JSON.stringify([stored.body, stored.input]));
    if (bytes > this.#maxBytes) return;
    this.#stored.set(stored.body.id, { ...stored, bytes });
    this.#bytes += bytes;
    this.#dropOldest();
  }

  setMaxBytes(maxBytes: number): void {
    this.#maxBytes = maxBytes;
    this.#dropOldest();
  }

  /** @throws InvalidRequestError with 404, naming `param` if a request's field led here */
  get(id: string, param: string | null = null): StoredResponse {
    const stored = this.#stored.get(id);
    if (stored !== undefined) return stored;
    throw notFound(`Response with id '${id}' not found: only the latest are kept.`, param);
  }

  delete(id: string): void {
    this.get(id);
    this.#drop(id);
  }

  /** An item of an answer, by its id. */
  item(id: string, param: string): ConversationItem {
    for (const { body, conversation } of this.#stored.values()) {
      const at = body.output.findIndex((item) => 'id' in item && item.id === id);
      const item = at === -1 ? undefined : conversation.at(at - body.output.length);
      if (item !== undefined) return item;
    }
    throw notFound(`Item with id '${id}' not found: send the item itself.`, param);
  }

  #dropOldest(): void {
    for (const id of this.#stored.keys()) {
      if (this.#bytes <= this.#maxBytes) break;
      this.#drop(id);
    }
  }

  #drop(id: string): void {
    this.#bytes -= this.#stored.get(id)?.bytes ?? 0;
    this.#stored.delete(id);
  }
}

function notFound(message: string, param: string | null): InvalidRequestError {
  return new InvalidRequestError(message, { status: 404, code: 'not_found', param });
}
