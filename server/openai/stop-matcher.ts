/**
 * Finds stop sequences in a text that comes in pieces. What may be the beginning of one is held
 * back until it is known, so that no character of a match is ever shown. mlx_vlm ignores `stop`.
 */
export class StopMatcher {
  readonly #stops: readonly string[];
  #held = '';
  #matched = false;

  constructor(stops: readonly string[]) {
    this.#stops = stops;
  }

  /** Whether a stop sequence was found; nothing after it is shown. */
  get matched(): boolean {
    return this.#matched;
  }

  /** Takes the next piece; returns what can be shown. */
  push(piece: string): string {
    if (this.#matched) return '';
    if (this.#stops.length === 0) return piece;
    const text = this.#held + piece;
    const at = firstMatch(text, this.#stops);
    if (at !== -1) {
      this.#matched = true;
      this.#held = '';
      return text.slice(0, at);
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

function firstMatch(text: string, stops: readonly string[]): number {
  const found = stops.map((stop) => text.indexOf(stop)).filter((at) => at !== -1);
  return found.length === 0 ? -1 : Math.min(...found);
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
