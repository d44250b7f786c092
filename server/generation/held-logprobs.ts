import type { TokenLogprob } from '../runtime/chat-protocol.ts';

interface Held {
  /** Length of the answer's text with these tokens. */
  end: number;
  entries: readonly TokenLogprob[];
}

/**
 * Keeps the logprobs of tokens whose text is not shown yet. Shown early, they would give away the stop
 * sequence that the text may turn out to be. A token without text, such as one with the first bytes of
 * a character, waits for the text that it becomes a part of.
 */
export class HeldLogprobs {
  #textless: readonly TokenLogprob[] = [];
  #held: Held[] = [];
  #made = 0;
  #shown = 0;

  /**
   * Takes the logprobs of a piece of text and the text that is shown after it; gives those of the
   * tokens that are shown whole.
   */
  push(entries: readonly TokenLogprob[], made: string, shown: string): readonly TokenLogprob[] {
    this.#made += made.length;
    this.#shown += shown.length;
    const all = [...this.#textless, ...entries];
    this.#textless = made === '' ? all : [];
    const told = made === '' ? [] : trimToText(all, made);
    if (this.#held.length === 0 && this.#shown === this.#made) return told;
    if (told.length > 0) this.#held.push({ end: this.#made, entries: told });
    const hidden = this.#held.findIndex(({ end }) => end > this.#shown);
    const free = this.#held.splice(0, hidden === -1 ? this.#held.length : hidden);
    return free.flatMap((held) => held.entries);
  }

  /** The tokens without text so far belong to something other than the answer's text. */
  dropTextless(): void {
    this.#textless = [];
  }
}

/**
 * The entries of tokens whose joined bytes end with the text: without those that only mark where the
 * text begins, and without a space that the text has lost, as SentencePiece's first token does.
 */
function trimToText(entries: readonly TokenLogprob[], text: string): readonly TokenLogprob[] {
  const bytes = entries.flatMap((entry) => entry.bytes ?? []);
  const expected = Buffer.from(text);
  let excess = bytes.length - expected.length;
  if (excess <= 0 || !Buffer.from(bytes.slice(excess)).equals(expected)) return entries;
  const kept = [...entries];
  for (let first = kept[0]; first !== undefined && excess > 0; first = kept[0]) {
    const own = first.bytes ?? [];
    if (own.length > excess) {
      const rest = own.slice(excess);
      kept[0] = { ...first, token: Buffer.from(rest).toString(), bytes: rest };
      break;
    }
    excess -= own.length;
    kept.shift();
  }
  return kept;
}
