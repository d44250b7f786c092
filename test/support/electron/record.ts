/** A call that the stand-in only notes down, or a thing that happened in a page. */
export interface Call {
  name: string;
  args: unknown[];
}

const calls: Call[] = [];
const watchers = new Set<() => void>();

/** Notes a call down. It has no other effect. */
export function record(name: string, ...args: unknown[]): void {
  calls.push({ name, args: args.map(toPlain) });
  announce();
}

/** A method that is only noted down. */
export function recorder(name: string): (...args: unknown[]) => void {
  return (...args) => record(name, ...args);
}

export function recordedCalls(): readonly Call[] {
  return calls;
}

/** Tells those who watch that the state of the stand-in has changed. */
export function announce(): void {
  for (const watcher of watchers) watcher();
}

export function onChange(watcher: () => void): () => void {
  watchers.add(watcher);
  return () => watchers.delete(watcher);
}

/** What can be sent to another process: functions become their names, unknown objects their class. */
export function toPlain(value: unknown): unknown {
  if (typeof value === 'function') return `[function ${value.name}]`;
  if (typeof value === 'symbol') return String(value);
  if (Array.isArray(value)) return value.map(toPlain);
  if (typeof value !== 'object' || value === null) return value;
  if (Object.getPrototypeOf(value) !== Object.prototype) return `[${value.constructor?.name}]`;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, toPlain(item)]));
}
