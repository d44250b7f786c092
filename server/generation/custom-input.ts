const HEAD = /^\s*\{\s*"input"\s*:\s*"/;
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
      const head = wasShort ? HEAD.exec(this.#held) : null;
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
