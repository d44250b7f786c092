import assert from 'node:assert/strict';

/** Checks the fair policy: while a client waits for its turn, no other client gets two. */
export class FairBound {
  /** By waiting client: who has had a turn since its last one, or since it started to wait. */
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

  /** Forgets clients that no longer wait. */
  keepOnly(waiting: ReadonlySet<string>): void {
    for (const client of this.#overtakers.keys()) {
      if (!waiting.has(client)) this.#overtakers.delete(client);
    }
  }
}
