interface Held {
  /** Length of the answer's text with these tokens. */
  end: number;
  entries: readonly unknown[];
}

/**
 * Keeps the logprobs of tokens whose text is not shown yet: told early, they would give away the
 * stop sequence that the text may turn out to be.
 */
export class HeldLogprobs {
  #held: Held[] = [];
  #made = 0;
  #shown = 0;

  /**
   * Takes the logprobs of a piece of text and the text that is shown after it; gives those of the
   * tokens that are shown whole.
   */
  push(entries: readonly unknown[], made: string, shown: string): readonly unknown[] {
    this.#made += made.length;
    this.#shown += shown.length;
    if (this.#held.length === 0 && this.#shown === this.#made) return entries;
    if (entries.length > 0) this.#held.push({ end: this.#made, entries });
    const hidden = this.#held.findIndex(({ end }) => end > this.#shown);
    const free = this.#held.splice(0, hidden === -1 ? this.#held.length : hidden);
    return free.flatMap((held) => held.entries);
  }
}
