import { randomUUID } from 'node:crypto';
import type { RuntimeToolCallDelta } from '../runtime/chat-protocol.ts';
import { parseJson } from './custom-input.ts';

/** Up to the arguments. A call is sent with the first of them: some clients read none as `{}`. */
const HEAD = /^\s*\{"name": ?"([\w-]+)", ?"(?:arguments":\s*(?=\{)|input": )/;

/**
 * Reads the answer of a model that has to call a function: the text of the object whose schema
 * `toRuntimeTools` gave it, as the pieces of a call.
 */
export class ForcedCall {
  /** What is not told yet: the head until it is whole, then the bracket that may be the last. */
  #held = '';
  #arguments: string | undefined;
  /** Whether it calls a custom tool whose input follows as it is. */
  #isText = false;

  push(text: string): RuntimeToolCallDelta[] {
    this.#held += text;
    if (this.#arguments !== undefined) return this.#tell();
    const head = HEAD.exec(this.#held);
    if (head === null) return [];
    const [whole, name = ''] = head;
    this.#isText = whole.endsWith('"input": ');
    this.#held = this.#held.slice(whole.length);
    this.#arguments = '';
    const id = `call_${randomUUID()}`;
    const type = this.#isText ? 'custom' : 'function';
    return [{ index: 0, id, type, function: { name, arguments: '' } }, ...this.#tell()];
  }

  /** What is no call, if the answer is over. */
  get text(): string {
    return this.#arguments === undefined ? this.#held : '';
  }

  /** Whether a call has begun, though it may not have all its arguments. */
  get begun(): boolean {
    return this.#arguments !== undefined;
  }

  /** What was still held: arguments of an answer cut short, which must not look complete. */
  end(): RuntimeToolCallDelta[] {
    if (this.#isText || this.#arguments === undefined) return [];
    const texts = [this.#arguments, this.#arguments + this.#held];
    if (texts.some((text) => parseJson(text) !== undefined)) return [];
    return this.#tell(0);
  }

  #tell(kept = 1): RuntimeToolCallDelta[] {
    if (this.#isText) {
      const input = this.#held;
      this.#held = '';
      return input === '' ? [] : [{ index: 0, type: 'custom', function: { arguments: input } }];
    }
    if (this.#arguments === '') this.#held = this.#held.trimStart();
    const text = this.#held.slice(0, Math.max(0, this.#held.trimEnd().length - kept));
    this.#held = this.#held.slice(text.length);
    this.#arguments += text;
    return text === '' ? [] : [{ index: 0, function: { arguments: text } }];
  }
}
