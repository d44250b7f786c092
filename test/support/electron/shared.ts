import { EventEmitter } from 'node:events';
import type { Channel } from './channel.ts';

/** A call that the stand-in only records. */
export interface Call {
  name: string;
  args: unknown[];
}

/** What the modules of the stand-in share. One per process, as Electron is. */
export const shared = {
  /** The calls that were only recorded, in order. */
  calls: [] as Call[],
  isReady: false,
  /** To the test; set by the host before the app is loaded. */
  test: undefined as unknown as Channel,
};

/** Notifies the test that the app's state has changed. */
export function changed(): void {
  void shared.test.call('changed').catch(() => {});
}

/** Records a call, which has no other effect. Functions and objects of classes become their names. */
export function record(name: string, ...args: unknown[]): void {
  shared.calls.push({ name, args: args.map(toPlain) });
  changed();
}

/** A method that is only recorded. */
export function recorder(name: string): (...args: unknown[]) => void {
  return (...args) => record(name, ...args);
}

/** Throws, as Electron does, if something is used before the app is ready. */
export function requireReady(what: string): void {
  if (!shared.isReady) throw new Error(`${what} cannot be used before the app is ready`);
}

/** An emitter that rejects listeners for events that it never emits. */
export class StrictEmitter extends EventEmitter {
  constructor(name: string, events: readonly string[]) {
    super();
    this.on('newListener', (event: string) => {
      if (!events.includes(event)) throw new Error(`the stand-in has no event ${name} ${event}`);
    });
  }

  /** Emits an event whose default a listener can prevent; returns whether one did. */
  isPrevented(name: string, details: object = {}): boolean {
    let isPrevented = false;
    const preventDefault = () => {
      isPrevented = true;
    };
    this.emit(name, { ...details, preventDefault });
    return isPrevented;
  }
}

function toPlain(value: unknown): unknown {
  if (typeof value === 'function') return `[function ${value.name}]`;
  if (Array.isArray(value)) return value.map(toPlain);
  if (typeof value !== 'object' || value === null) return value;
  if (Object.getPrototypeOf(value) !== Object.prototype) return `[${value.constructor?.name}]`;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, toPlain(item)]));
}
