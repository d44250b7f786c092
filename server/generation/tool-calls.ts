import { randomUUID } from 'node:crypto';
import type { RuntimeToolCallDelta } from '../runtime/protocol.ts';
import type { ClientTool, Tools } from './tools.ts';

/**
 * What is new in a tool call, by the client's names. For a custom tool, `arguments` contains the input
 * and every delta has the type `custom`.
 */
export interface ToolCallDelta extends RuntimeToolCallDelta {
  namespace?: string;
}

/** Converts calls of the offered functions to calls of the client's tools. */
export class ToolCalls {
  readonly #tools: readonly { name: string; client: ClientTool }[];
  /** The unfinished call of a custom tool. */
  #custom: { index: number; input: CustomInput } | undefined;

  constructor(tools: Tools | undefined) {
    this.#tools = tools?.functions ?? [];
  }

  add(deltas: readonly RuntimeToolCallDelta[]): ToolCallDelta[] {
    return deltas.flatMap((delta) => this.#add(delta));
  }

  /** Returns the rest of the last call when the answer ends. */
  end(): ToolCallDelta[] {
    if (this.#custom === undefined) return [];
    const { index, input } = this.#custom;
    this.#custom = undefined;
    return inputDelta(index, input.end());
  }

  /** Finds a tool by its name for the model or, if unambiguous, by the client's name. */
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
    if (tool !== undefined) return [...ended, ...this.#start(tool, { ...delta, index })];
    const input = this.#custom?.input;
    if (input === undefined) return [...ended, delta];
    return [...ended, ...inputDelta(index, input.push(called?.arguments ?? ''))];
  }

  #start(tool: ClientTool, delta: RuntimeToolCallDelta & { index: number }): ToolCallDelta[] {
    const { type, name, namespace } = tool;
    const call = namespace === undefined ? delta : { ...delta, namespace };
    if (type === 'function') return [{ ...call, function: { ...delta.function, name } }];
    const text = delta.function?.arguments ?? '';
    // In a forced call with a grammar, the text is the input itself.
    if (delta.type === 'custom') return [{ ...call, function: { name, arguments: text } }];
    const input = new CustomInput();
    this.#custom = { index: delta.index, input };
    return [{ ...call, type, function: { name, arguments: input.push(text) } }];
  }
}

function inputDelta(index: number, text: string): ToolCallDelta[] {
  return text === '' ? [] : [{ index, type: 'custom', function: { arguments: text } }];
}

/** The text before the arguments. Nothing is sent earlier: some clients read no arguments as `{}`. */
const FORCED_CALL_START = /^\s*\{"name": ?"([\w-]+)", ?"(?:arguments":\s*(?=\{)|input": )/;

/**
 * Reads an answer that must be a call: converts the text of an object with the schema from
 * `toRuntimeTools` to deltas of a tool call.
 */
export class ForcedCall {
  /** Text that is not sent yet: an incomplete head, and later a possible closing bracket. */
  #held = '';
  #arguments: string | undefined;
  /** Whether plain text follows, the input of a custom tool. */
  #isText = false;

  push(text: string): RuntimeToolCallDelta[] {
    this.#held += text;
    if (this.#arguments !== undefined) return this.#send();
    const head = FORCED_CALL_START.exec(this.#held);
    if (head === null) return [];
    const [whole, name = ''] = head;
    this.#isText = whole.endsWith('"input": ');
    this.#held = this.#held.slice(whole.length);
    this.#arguments = '';
    const id = `call_${randomUUID()}`;
    const type = this.#isText ? 'custom' : 'function';
    return [{ index: 0, id, type, function: { name, arguments: '' } }, ...this.#send()];
  }

  /** The text of an answer that turned out not to be a call. */
  get text(): string {
    return this.#arguments === undefined ? this.#held : '';
  }

  /** Whether the answer is a call, which may be incomplete. */
  get hasStarted(): boolean {
    return this.#arguments !== undefined;
  }

  /** Returns the held text of a truncated call, so that its arguments do not look complete. */
  end(): RuntimeToolCallDelta[] {
    if (this.#isText || this.#arguments === undefined) return [];
    const texts = [this.#arguments, this.#arguments + this.#held];
    if (texts.some((text) => parseJson(text) !== undefined)) return [];
    return this.#send(0);
  }

  #send(kept = 1): RuntimeToolCallDelta[] {
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
/** A longer text without a match is in another form. */
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
 * Extracts the input of a custom tool from streamed arguments, `{"input": "…"}`. Arguments in another
 * form are read at the end: the input is then the value of the only property or, if they are not
 * JSON, the text itself.
 */
class CustomInput {
  #phase: 'head' | 'text' | 'done' = 'head';
  /** Text that is not decoded yet: an incomplete head or escape sequence. */
  #held = '';

  /** Returns what the next piece of the arguments adds to the input. */
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

  /** Returns the rest of the input when the arguments end. */
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

/** Reads the escape sequence at `at`. Undefined if it is incomplete, such as half a surrogate pair. */
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

/** Parses JSON. Undefined if the text is not valid. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
