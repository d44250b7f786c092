/** The person stopped it, with Ctrl-C or the signal of a process manager; says what became of it. */
export class InterruptedError extends Error {
  override name = 'InterruptedError';
}
