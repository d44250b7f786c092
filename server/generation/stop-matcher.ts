/**
 * Finds stop sequences in a text that comes in pieces. What may be the beginning of one is held
 * back until it is known, so that no character of a match is ever shown. The first sequence to be
 * complete ends the text, the longest of those that are complete at once; where the pieces are cut
 * makes no difference. mlx_vlm ignores `stop`.
 */
export class StopMatcher {
  readonly #stops: readonly string[];
  #held = '';
  #matched: string | undefined;

  constructor(stops: readonly string[]) {
    this.#stops = stops;
  }

  /** The stop sequence that was found, if any; nothing after it is shown. */
  get matched(): string | undefined {
    return this.#matched;
  }

  /** Takes the next piece; returns what can be shown. */
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
    const hold = longestBeginning(text, this.#stops);
    this.#held = text.slice(text.length - hold);
    return text.slice(0, text.length - hold);
  }

  /** The text has ended: returns what was held back and turned out to be no stop sequence. */
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

/** Length of the longest end of `text` that begins one of `stops`. */
function longestBeginning(text: string, stops: readonly string[]): number {
  const longest = Math.min(text.length, Math.max(...stops.map((stop) => stop.length - 1)));
  for (let length = longest; length > 0; length -= 1) {
    const end = text.slice(text.length - length);
    if (stops.some((stop) => stop.startsWith(end))) return length;
  }
  return 0;
}
