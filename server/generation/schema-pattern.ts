import { MAX_PATTERN_CHARACTERS, MAX_SCHEMA_BOUND } from '../limits.ts';

/** Escapes with the same meaning in JavaScript and in llguidance, which uses Rust's syntax. */
const CLASS_ESCAPE =
  /^\\(?:[dDwWsStnrfv]|x[\da-fA-F]{2}|u(?![dD][89a-fA-F])[\da-fA-F]{4}|u\{[\da-fA-F]{1,5}\}|[pP]\{(?:[A-Z][a-z]?|Script=[A-Za-z]+)\})/;
const QUANTIFIER = /^\{(\d+)(?:,(\d*))?\}/;
const GROUP = /^\((?:\?(?::|P?<[A-Za-z_]\w*>))?(?!\?)/;
const META = /[.^$|()[\]{}*+?\\/&~#-]/;
const MAX_GROUPS = 100;

/**
 * Converts an ECMA-262 pattern to llguidance's syntax. Undefined if llguidance cannot enforce it:
 * look-around, back references, word boundaries, and anchors in the middle.
 */
export function toEnforceablePattern(pattern: string): string | undefined {
  if (pattern.length > MAX_PATTERN_CHARACTERS || !isRegExp(pattern)) return undefined;
  const groups: { startsText: boolean; hasEnd: boolean }[] = [];
  let group = { startsText: true, hasEnd: false };
  let atStart = true;
  let ended = false;
  let out = '';
  let at = 0;
  while (at < pattern.length) {
    const rest = pattern.slice(at, at + 80);
    const char = pattern.charAt(at);
    if (char === '|') {
      group.hasEnd ||= ended;
      [atStart, ended] = [group.startsText, false];
    } else if (char === ')') {
      const outer = groups.pop();
      if (outer === undefined) return undefined;
      ended ||= group.hasEnd;
      [group, atStart] = [outer, false];
    } else if (ended) {
      return undefined; // something follows `$`
    } else if (char === '^') {
      if (!atStart) return undefined;
    } else if (char === '$') {
      ended = true;
    } else if (char === '(') {
      const opening = GROUP.exec(rest)?.[0];
      if (opening === undefined || groups.length >= MAX_GROUPS) return undefined;
      groups.push(group);
      group = { startsText: atStart, hasEnd: false };
      out += opening;
      at += opening.length;
      continue;
    } else {
      const piece = char === '[' ? toClass(pattern, at) : toAtom(rest);
      if (piece === undefined) return undefined;
      atStart = false;
      out += piece.text;
      at += piece.length;
      continue;
    }
    out += char;
    at += 1;
  }
  return groups.length === 0 ? out : undefined;
}

/** The pattern without look-around, which matches at least as much. Undefined if it has none. */
export function withoutLookAround(pattern: string): string | undefined {
  let out = '';
  let inClass = false;
  let depth = 0;
  let skipped = 0;
  for (let at = 0; at < pattern.length; at += 1) {
    const char = pattern.charAt(at);
    const text = char === '\\' ? pattern.slice(at, at + 2) : char;
    if (text.length === 2) at += 1;
    else if (inClass) inClass = char !== ']';
    else if (char === '[') inClass = true;
    else if (char === '(' && (depth > 0 || /^\(\?<?[=!]/.test(pattern.slice(at, at + 4))))
      depth += 1;
    else if (char === ')' && depth > 0) {
      depth -= 1;
      skipped += 1;
      continue;
    }
    if (depth === 0) out += text;
  }
  return skipped > 0 && depth === 0 ? out : undefined;
}

interface Piece {
  text: string;
  length: number;
}

function toAtom(rest: string): Piece | undefined {
  if (rest.startsWith('\\')) return toEscape(rest, undefined);
  const quantifier = QUANTIFIER.exec(rest);
  if (quantifier !== null) {
    const [text, least = '', most = ''] = quantifier;
    if (Number(least) > MAX_SCHEMA_BOUND || Number(most) > MAX_SCHEMA_BOUND) return undefined;
    return { text, length: text.length };
  }
  const char = rest.charAt(0);
  return { text: /[{}\]]/.test(char) ? `\\${char}` : char, length: 1 };
}

/** A class such as `[a-z]`. In Rust, `[` opens a nested class and `&&` is an intersection. */
function toClass(pattern: string, start: number): Piece | undefined {
  let at = pattern.startsWith('[^', start) ? start + 2 : start + 1;
  let text = pattern.slice(start, at);
  if (pattern.charAt(at) === ']') return undefined;
  while (at < pattern.length) {
    const char = pattern.charAt(at);
    if (char === ']') return { text: `${text}]`, length: at + 1 - start };
    if (pattern.startsWith('--', at)) return undefined;
    if (char === '\\') {
      const escaped = toEscape(pattern.slice(at, at + 80), '\\x08');
      if (escaped === undefined) return undefined;
      text += escaped.text;
      at += escaped.length;
      continue;
    }
    text += /[[&~]/.test(char) ? `\\${char}` : char;
    at += 1;
  }
  return undefined;
}

function toEscape(rest: string, backspace: string | undefined): Piece | undefined {
  const known = CLASS_ESCAPE.exec(rest)?.[0];
  if (known !== undefined) return { text: known, length: known.length };
  const char = rest.charAt(1);
  if (char === '0' && !/^\d/.test(rest.slice(2))) return { text: '\\x00', length: 2 };
  if (char === 'b' && backspace !== undefined) return { text: backspace, length: 2 };
  if (char === '' || /[\dA-Za-z]/.test(char)) return undefined;
  return { text: META.test(char) ? `\\${char}` : char, length: 2 };
}

function isRegExp(pattern: string): boolean {
  return ['u', ''].some((flags) => {
    try {
      new RegExp(pattern.replaceAll('(?P<', '(?<'), flags);
      return true;
    } catch {
      return false;
    }
  });
}
