import { EventEmitter } from 'node:events';

/** What JavaScript itself asks of any object: to await it, to print it, to make JSON of it. */
const ASKED_OF_ANY = new Set(['then', 'toJSON', 'inspect', 'nodeType', 'domain']);

/** The same object, but using a property that it does not have throws an error that names it. */
export function refuseUnknown<Target extends object>(name: string, target: Target): Target {
  const check = (key: string | symbol) => {
    if (typeof key === 'symbol' || key in target || ASKED_OF_ANY.has(key)) return;
    throw new TypeError(`the stand-in has no ${name}.${key}`);
  };
  return new Proxy(target, {
    get(_target, key, receiver) {
      check(key);
      return Reflect.get(target, key, receiver);
    },
    set(_target, key, value, receiver) {
      check(key);
      return Reflect.set(target, key, value, receiver);
    },
  });
}

/** Throws when an options object has a key that the stand-in does not know. */
export function refuseUnknownKeys(name: string, options: object, known: readonly string[]): void {
  for (const key of Object.keys(options)) {
    if (!known.includes(key)) throw new TypeError(`the stand-in has no option ${name} ${key}`);
  }
}

/** Ends the process with an error that nobody waits for, as an uncaught one. */
export function failLoudly(error: unknown): void {
  process.nextTick(() => {
    throw error;
  });
}

/** An emitter that refuses to be listened to for events, or asked for members, it does not have. */
export abstract class StrictEmitter extends EventEmitter {
  constructor(name: string, events: readonly string[]) {
    super();
    super.on('newListener', (event: string | symbol) => {
      if (typeof event === 'symbol' || event === 'removeListener' || events.includes(event)) return;
      throw new TypeError(`the stand-in has no event '${event}' of ${name}`);
    });
    // biome-ignore lint/correctness/noConstructorReturn: subclasses then live on the proxy.
    return refuseUnknown(name, this);
  }
}

/** The event that a listener can prevent the default of, as Electron's listeners get it first. */
export class PreventableEvent {
  defaultPrevented = false;

  preventDefault(): void {
    this.defaultPrevented = true;
  }
}

/** Emits an event with a PreventableEvent first; true when a listener prevented the default. */
export function isPrevented(
  emitter: EventEmitter,
  name: string,
  details: object = {},
  ...rest: unknown[]
): boolean {
  const event = Object.assign(new PreventableEvent(), details);
  emitter.emit(name, event, ...rest);
  return event.defaultPrevented;
}
