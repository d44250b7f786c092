import assert from 'node:assert/strict';

/** The promise of the fair policy: between two turns of a client that waits, no other has two. */
export class FairBound {
  /** By client that waits: who had a turn since its own last one, or since it began to wait. */
  readonly #overtakers = new Map<string, Set<string>>();

  takeTurn(client: string, waiting: ReadonlySet<string>): void {
    this.#overtakers.delete(client);
    for (const other of waiting) {
      if (other === client) continue;
      const overtakers = this.#overtakers.get(other) ?? new Set();
      assert.ok(!overtakers.has(client), `${client} had two turns while ${other} waited`);
      this.#overtakers.set(other, overtakers.add(client));
    }
  }

  /** A client that has stopped waiting begins anew. */
  keepOnly(waiting: ReadonlySet<string>): void {
    for (const client of this.#overtakers.keys()) {
      if (!waiting.has(client)) this.#overtakers.delete(client);
    }
  }
}
