/**
 * Finds stop sequences in streamed text. Holds back text that may be the start of one, so that no
 * part of a stop sequence is ever shown. The text ends at the sequence that is complete first, or the
 * longest of several. How the text is split makes no difference. mlx_vlm itself ignores `stop`.
 */
export class StopMatcher {
  readonly #stops: readonly string[];
  #held = '';
  #matched: string | undefined;

  constructor(stops: readonly string[]) {
    this.#stops = stops;
  }

  /** The stop sequence that ended the text, if any. */
  get matched(): string | undefined {
    return this.#matched;
  }

  /** Takes the next piece of text and returns what can be shown. */
  push(piece: string): string {
    if (this.#matched !== undefined) return '';
    if (this.#stops.length === 0) return piece;
    const text = this.#held + piece;
    const match = firstMatch(text, this.#stops);
    if (match !== undefined) {
      this.#matched = match.stop;
      this.#held = '';
      return text.slice(0, match.at);
    }
    const hold = longestPrefix(text, this.#stops);
    this.#held = text.slice(text.length - hold);
    return text.slice(0, text.length - hold);
  }

  /** Ends the text and returns what was held back. */
  end(): string {
    const rest = this.#held;
    this.#held = '';
    return rest;
  }
}

function firstMatch(text: string, stops: readonly string[]) {
  let first: { stop: string; at: number; end: number } | undefined;
  for (const stop of stops) {
    const at = text.indexOf(stop);
    const end = at + stop.length;
    if (at === -1) continue;
    const isFirst = first === undefined || end < first.end || (end === first.end && at < first.at);
    if (isFirst) first = { stop, at, end };
  }
  return first;
}

/** Length of the longest suffix of `text` that is a prefix of one of `stops`. */
function longestPrefix(text: string, stops: readonly string[]): number {
  const longest = Math.min(text.length, Math.max(...stops.map((stop) => stop.length - 1)));
  for (let length = longest; length > 0; length -= 1) {
    const end = text.slice(text.length - length);
    if (stops.some((stop) => stop.startsWith(end))) return length;
  }
  return 0;
}
