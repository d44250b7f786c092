type Wired = null | boolean | number | string | [string, ...unknown[]];

/**
 * How messages cross between a window and main: what structured clone can copy, as JSON. This
 * function's text runs in pages too, so it uses nothing from outside of itself.
 */
export function createWire() {
  const DEEPEST = 500;
  const toText = (bytes: Uint8Array) => {
    let text = '';
    for (const byte of bytes) text += String.fromCharCode(byte);
    return btoa(text);
  };
  const toBytes = (text: string) => Uint8Array.from(atob(text), (char) => char.charCodeAt(0));
  const viewOf = (view: ArrayBufferView) =>
    new Uint8Array(view.buffer as ArrayBuffer, view.byteOffset, view.byteLength);

  function write(value: unknown, depth: number): Wired {
    if (depth > DEEPEST) throw new RangeError('the stand-in has no IPC of cyclic values');
    const next = (item: unknown) => write(item, depth + 1);
    if (value === null || typeof value === 'boolean' || typeof value === 'string') return value;
    if (typeof value === 'number') {
      return Number.isFinite(value) && !Object.is(value, -0) ? value : ['number', String(value)];
    }
    if (typeof value === 'bigint') return ['bigint', String(value)];
    if (value === undefined) return ['undefined'];
    if (Array.isArray(value)) return ['array', ...value.map(next)];
    if (value instanceof Date) return ['date', value.getTime()];
    if (value instanceof RegExp) return ['regexp', value.source, value.flags];
    if (value instanceof Error) return ['error', value.name, value.message];
    if (value instanceof Map) return ['map', ...[...value].map(next)];
    if (value instanceof Set) return ['set', ...[...value].map(next)];
    if (value instanceof ArrayBuffer) return ['buffer', toText(new Uint8Array(value))];
    if (ArrayBuffer.isView(value)) return ['view', value.constructor.name, toText(viewOf(value))];
    if (Object.prototype.toString.call(value) === '[object Object]') {
      return ['object', ...Object.entries(value).map(([key, item]) => [key, next(item)])];
    }
    throw new TypeError(`the stand-in has no IPC of a ${Object.prototype.toString.call(value)}`);
  }

  function read(wired: Wired): unknown {
    if (!Array.isArray(wired)) return wired;
    const [tag, ...parts] = wired as [string, ...Wired[]];
    const [first, second] = parts as [string, string];
    const items = () => parts.map(read);
    switch (tag) {
      case 'number':
        return Number(first);
      case 'bigint':
        return BigInt(first);
      case 'undefined':
        return undefined;
      case 'array':
        return items();
      case 'date':
        return new Date(Number(first));
      case 'regexp':
        return new RegExp(first, second);
      case 'error':
        return Object.assign(new Error(second), { name: first });
      case 'map':
        return new Map(items() as [unknown, unknown][]);
      case 'set':
        return new Set(items());
      case 'buffer':
        return toBytes(first).buffer;
      case 'view': {
        const { buffer } = toBytes(second);
        const Views = globalThis as unknown as Record<string, new (of: ArrayBuffer) => unknown>;
        const View = Views[first === 'Buffer' ? 'Uint8Array' : first];
        if (View === undefined) throw new TypeError(`the stand-in has no IPC of a ${first}`);
        return new View(buffer);
      }
      case 'object': {
        const entries = parts as unknown as [string, Wired][];
        return Object.fromEntries(entries.map(([key, item]) => [key, read(item)]));
      }
      default:
        throw new TypeError(`${tag} is no tag of the wire.`);
    }
  }

  function clone(value: unknown): unknown {
    try {
      return structuredClone(value);
    } catch {
      throw new Error('An object could not be cloned.');
    }
  }

  return {
    /** Throws, as IPC does, for what cannot be cloned: functions, symbols, promises. */
    encode: (value: unknown): string => JSON.stringify(write(clone(value), 0)),
    decode: (text: string): unknown => read(JSON.parse(text)),
  };
}
