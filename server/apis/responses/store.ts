import type { Response } from 'openai/resources/responses/responses';
import { InvalidRequestError } from '../../errors.ts';
import { BYTES_PER_STORED_VALUE } from '../../limits.ts';
import { LongText } from '../../long-text.ts';
import type { ConversationItem } from './request.ts';

/** Memory for each list entry. Every response has its own lists, but they share items. */
const BYTES_PER_REFERENCE = 8;

/**
 * OpenAI's response object with the fields and nulls that the Open Responses specification requires.
 * `output_text` is missing, because the SDKs add it.
 */
export type ResponseBody = Omit<
  Response,
  | 'output_text'
  | 'usage'
  | 'user'
  | 'safety_identifier'
  | 'prompt_cache_key'
  | 'text'
  | 'tool_choice'
> & {
  usage: Response['usage'] | null;
  user: string | null;
  safety_identifier: string | null;
  prompt_cache_key: string | null;
  text: object;
  tool_choice: string | object;
  store: boolean;
  presence_penalty: number;
  frequency_penalty: number;
};

export interface StoredResponse {
  body: ResponseBody;
  /** The input of this request only. */
  input: readonly ConversationItem[];
  /** The whole conversation so far, with inputs and outputs. */
  conversation: readonly ConversationItem[];
}

/**
 * Stores responses for `previous_response_id`, `item_reference` and `GET`. Keeps them in memory only,
 * and evicts the oldest first.
 */
export class ResponseStore {
  #maxBytes: number;
  readonly #stored = new Map<string, StoredResponse & { bytes: number }>();
  /** The items of all stored responses. The responses of one conversation share items. */
  readonly #items = new Map<object, { bytes: number; uses: number }>();
  #bytes = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** The total size of all stored responses and conversations. */
  get bytes(): number {
    return this.#bytes;
  }

  save(stored: StoredResponse): void {
    const references = stored.input.length + stored.conversation.length;
    const bytes = sizeOf(stored.body) + references * BYTES_PER_REFERENCE;
    const total = [...itemsOf(stored)].reduce((sum, item) => sum + this.#sizeOfItem(item), bytes);
    if (total > this.#maxBytes) return;
    this.#stored.set(stored.body.id, { ...stored, bytes });
    this.#bytes += bytes;
    for (const item of itemsOf(stored)) {
      const known = this.#items.get(item) ?? { bytes: this.#sizeOfItem(item), uses: 0 };
      if (known.uses === 0) this.#bytes += known.bytes;
      known.uses += 1;
      this.#items.set(item, known);
    }
    this.#evictOldest();
  }

  setMaxBytes(maxBytes: number): void {
    this.#maxBytes = maxBytes;
    this.#evictOldest();
  }

  /** @throws InvalidRequestError with 404, for the field `param` */
  get(id: string, param: string | null = null): StoredResponse {
    const stored = this.#stored.get(id);
    if (stored !== undefined) return stored;
    throw notFound(
      `Response with id '${id}' not found. Only the latest responses are kept.`,
      param,
    );
  }

  delete(id: string): void {
    this.get(id);
    this.#remove(id);
  }

  /** Returns an output item by its id. */
  item(id: string, param: string): ConversationItem {
    for (const { body, conversation } of this.#stored.values()) {
      const index = body.output.findIndex((item) => 'id' in item && item.id === id);
      const item = index === -1 ? undefined : conversation.at(index - body.output.length);
      if (item !== undefined) return item;
    }
    throw notFound(`Item with id '${id}' not found. Send the item itself.`, param);
  }

  #sizeOfItem(item: object): number {
    return this.#items.get(item)?.bytes ?? sizeOf(item);
  }

  #evictOldest(): void {
    for (const id of this.#stored.keys()) {
      if (this.#bytes <= this.#maxBytes) break;
      this.#remove(id);
    }
  }

  #remove(id: string): void {
    const stored = this.#stored.get(id);
    if (stored === undefined) return;
    this.#stored.delete(id);
    this.#bytes -= stored.bytes;
    for (const item of itemsOf(stored)) {
      const known = this.#items.get(item);
      if (known === undefined) continue;
      known.uses -= 1;
      if (known.uses > 0) continue;
      this.#items.delete(item);
      this.#bytes -= known.bytes;
    }
  }
}

function itemsOf({ input, conversation }: StoredResponse): Set<object> {
  return new Set([...input, ...conversation]);
}

/** The approximate memory use of a value. */
function sizeOf(value: unknown): number {
  if (typeof value === 'string') return BYTES_PER_STORED_VALUE + Buffer.byteLength(value);
  if (value instanceof LongText) return BYTES_PER_STORED_VALUE + value.length;
  if (typeof value !== 'object' || value === null) return BYTES_PER_STORED_VALUE;
  return Object.values(value).reduce(
    (sum: number, inner) => sum + sizeOf(inner),
    BYTES_PER_STORED_VALUE,
  );
}

function notFound(message: string, param: string | null): InvalidRequestError {
  return new InvalidRequestError(message, { status: 404, code: 'not_found', param });
}
