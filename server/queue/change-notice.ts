/** Tells listeners that something has changed, once for all the changes made in one go. */
export class ChangeNotice {
  readonly #listeners = new Set<() => void>();
  #isDue = false;

  /** Returns the unsubscribe. */
  onChange(listener: () => void): () => void {
    const tell = () => listener(); // so that one function subscribed twice is two subscriptions
    this.#listeners.add(tell);
    return () => void this.#listeners.delete(tell);
  }

  /** Listeners are called in a microtask: never inside the change, always before the next event. */
  announce(): void {
    if (this.#isDue || this.#listeners.size === 0) return;
    this.#isDue = true;
    queueMicrotask(() => {
      this.#isDue = false;
      for (const tell of [...this.#listeners]) tell();
    });
  }
}
