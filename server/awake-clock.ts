/**
 * Milliseconds during which the machine was awake: deadlines do not pass, and nothing counts as
 * hung, while it sleeps. Whoever hosts the service tells when it does.
 */
export class AwakeClock {
  #sleptMs = 0;
  #asleepSince: number | undefined;

  readonly now = (): number => (this.#asleepSince ?? performance.now()) - this.#sleptMs;

  sleep(): void {
    this.#asleepSince ??= performance.now();
  }

  wake(): void {
    if (this.#asleepSince === undefined) return;
    this.#sleptMs += performance.now() - this.#asleepSince;
    this.#asleepSince = undefined;
  }
}
