import { randomUUID } from 'node:crypto';
import type { RuntimeToolCallDelta } from '../runtime/protocol.ts';
import type { ClientTool, Tools } from './tools.ts';

/**
 * What is new in a call of one of the client's tools, by the client's names. That of a custom tool
 * has its input instead of arguments, and is of type `custom` in each of its deltas.
 */
export interface ToolCallDelta extends RuntimeToolCallDelta {
  namespace?: string;
}

/** Turns calls of the functions that a model was offered into calls of the client's tools. */
export class ToolCalls {
  readonly #tools: readonly { name: string; client: ClientTool }[];
  /** The custom tool whose call is under way, by the call's index. */
  #custom: { index: number; input: CustomInput } | undefined;

  constructor(tools: Tools | undefined) {
    this.#tools = tools?.functions ?? [];
  }

  add(deltas: readonly RuntimeToolCallDelta[]): ToolCallDelta[] {
    return deltas.flatMap((delta) => this.#add(delta));
  }

  /** The rest of the last call, once the answer has ended. */
  end(): ToolCallDelta[] {
    if (this.#custom === undefined) return [];
    const { index, input } = this.#custom;
    this.#custom = undefined;
    return more(index, input.end());
  }

  /** By the name that the model was offered or, if that is unambiguous, by the client's own. */
  #find(name: string): ClientTool | undefined {
    const offered = this.#tools.find((tool) => tool.name === name);
    if (offered !== undefined) return offered.client;
    const [only, ...others] = this.#tools.filter(({ client }) => client.name === name);
    return others.length === 0 ? only?.client : undefined;
  }

  #add(delta: RuntimeToolCallDelta): ToolCallDelta[] {
    const { index = 0, function: called } = delta;
    const ended = index === this.#custom?.index ? [] : this.end();
    const tool = called?.name === undefined ? undefined : this.#find(called.name);
    if (tool !== undefined) return [...ended, ...this.#begin(tool, { ...delta, index })];
    const input = this.#custom?.input;
    if (input === undefined) return [...ended, delta];
    return [...ended, ...more(index, input.push(called?.arguments ?? ''))];
  }

  #begin(tool: ClientTool, delta: RuntimeToolCallDelta & { index: number }): ToolCallDelta[] {
    const { type, name, namespace } = tool;
    const told = namespace === undefined ? delta : { ...delta, namespace };
    if (type === 'function') return [{ ...told, function: { ...delta.function, name } }];
    const text = delta.function?.arguments ?? '';
    // The text of a forced call that a grammar held is the input itself.
    if (delta.type === 'custom') return [{ ...told, function: { name, arguments: text } }];
    const input = new CustomInput();
    this.#custom = { index: delta.index, input };
    const begun = { name, arguments: input.push(text) };
    return [{ ...told, type, function: begun }];
  }
}

function more(index: number, text: string): ToolCallDelta[] {
  return text === '' ? [] : [{ index, type: 'custom', function: { arguments: text } }];
}

/** Up to the arguments. A call is sent with the first of them: some clients read none as `{}`. */
const FORCED_CALL_START = /^\s*\{"name": ?"([\w-]+)", ?"(?:arguments":\s*(?=\{)|input": )/;

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
    const head = FORCED_CALL_START.exec(this.#held);
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
  get hasStarted(): boolean {
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

const INPUT_START = /^\s*\{\s*"input"\s*:\s*"/;
/** The text of a call begins with its head; a longer one has another form. */
const MAX_HEAD_LENGTH = 1000;
const ESCAPED: Readonly<Record<string, string>> = {
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
  '"': '"',
  '\\': '\\',
  '/': '/',
};

/**
 * Reads the input of a custom tool out of the arguments of the function that the model is offered in
 * its place, `{"input": "…"}`, while they arrive. Arguments of another form are read at their end: a
 * text in any other property is the input, and what is no JSON is the input as it stands.
 */
export class CustomInput {
  #phase: 'head' | 'text' | 'done' = 'head';
  /** What is not decoded yet: the head, or an escape sequence that has only begun. */
  #held = '';

  /** What the next piece of the arguments adds to the input. */
  push(text: string): string {
    if (this.#phase === 'done') return '';
    const wasShort = this.#held.length <= MAX_HEAD_LENGTH;
    this.#held += text;
    if (this.#phase === 'head') {
      const head = wasShort ? INPUT_START.exec(this.#held) : null;
      if (head === null) return '';
      this.#held = this.#held.slice(head[0].length);
      this.#phase = 'text';
    }
    return this.#decode();
  }

  /** What is left of the input when no more arguments come. */
  end(): string {
    const rest = this.#phase === 'head' ? toInput(this.#held) : '';
    this.#phase = 'done';
    return rest;
  }

  #decode(): string {
    const held = this.#held;
    let input = '';
    let at = 0;
    while (at < held.length) {
      const special = indexOfSpecial(held, at);
      input += held.slice(at, special);
      at = special;
      if (held[at] === '"') {
        this.#phase = 'done';
        return input;
      }
      if (held[at] !== '\\') break;
      const escaped = readEscape(held, at);
      if (escaped === undefined) break;
      input += escaped.text;
      at = escaped.end;
    }
    this.#held = held.slice(at);
    return input;
  }
}

function indexOfSpecial(text: string, from: number): number {
  const found = /["\\]/g;
  found.lastIndex = from;
  return found.exec(text)?.index ?? text.length;
}

/** The escape sequence at `at`; undefined if more of it is to come, as of a pair of surrogates. */
function readEscape(text: string, at: number): { text: string; end: number } | undefined {
  const kind = text[at + 1];
  if (kind === undefined) return undefined;
  if (kind !== 'u') return { text: ESCAPED[kind] ?? `\\${kind}`, end: at + 2 };
  const unit = readUnit(text, at);
  if (unit === undefined) return undefined;
  const end = at + 6;
  if (Number.isNaN(unit)) return { text: '\\u', end: at + 2 };
  if (unit < 0xd800 || unit > 0xdfff) return { text: String.fromCharCode(unit), end };
  if (unit > 0xdbff) return { text: '\ufffd', end };
  const second = text.slice(end, end + 2);
  if (!'\\u'.startsWith(second)) return { text: '\ufffd', end };
  const low = readUnit(text, end);
  if (low === undefined) return undefined;
  if (low < 0xdc00 || low > 0xdfff || Number.isNaN(low)) return { text: '\ufffd', end };
  return { text: String.fromCharCode(unit, low), end: end + 6 };
}

function readUnit(text: string, at: number): number | undefined {
  const digits = text.slice(at + 2, at + 6);
  if (digits.length === 4) return /^[\da-f]{4}$/i.test(digits) ? parseInt(digits, 16) : Number.NaN;
  return /^[\da-f]*$/i.test(digits) ? undefined : Number.NaN;
}

function toInput(text: string): string {
  const value = parseJson(text);
  if (value === undefined) return text;
  if (typeof value === 'string') return value;
  if (typeof value !== 'object' || value === null) return text;
  const [only, ...others] = Object.values(value);
  const input = 'input' in value ? value.input : others.length === 0 ? only : value;
  if (input === undefined) return '';
  return typeof input === 'string' ? input : JSON.stringify(input);
}

/** What a JSON text says; undefined if it is no JSON. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
