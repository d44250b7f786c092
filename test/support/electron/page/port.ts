type Detail = Record<string, unknown>;
type Function = (...args: unknown[]) => unknown;

/**
 * One end between a page's own world and its preload's, as Electron's contextBridge is between them:
 * values are copied, functions and promises go by proxy, and a call answers synchronously. The two
 * ends share nothing but DOM events with names that the page does not know. This function's text
 * runs in pages, so it uses nothing from outside of itself.
 */
export function createPort(outgoing: string, incoming: string) {
  const target = globalThis as unknown as EventTarget;
  const functions = new Map<number, Function>();
  const settles = new Map<number, (value: unknown, error: unknown) => void>();
  const answers = new Map<number, Detail>();
  let lastId = 0;
  let onExpose: (name: string, value: unknown) => void = () => {};

  const post = (detail: Detail) => {
    target.dispatchEvent(new CustomEvent(outgoing, { detail }));
  };
  const toMessage = (error: unknown) =>
    error instanceof Error ? error.message : 'An unknown exception occurred';

  function write(value: unknown): Detail {
    if (typeof value === 'symbol') throw new TypeError('A symbol cannot cross the contextBridge.');
    if (typeof value === 'function') {
      functions.set(++lastId, value as Function);
      return { function: lastId };
    }
    if (value instanceof Promise) {
      const promise = ++lastId;
      value.then(
        (settled) => post({ settle: promise, value: write(settled) }),
        (error) => post({ settle: promise, error: toMessage(error) }),
      );
      return { promise };
    }
    if (Array.isArray(value)) return { array: value.map(write) };
    if (value instanceof Error) return { error: value.message };
    if (Object.prototype.toString.call(value) === '[object Object]') {
      return { object: Object.entries(value as object).map(([key, item]) => [key, write(item)]) };
    }
    return { plain: value };
  }

  function read(wired: Detail): unknown {
    if ('function' in wired) return toProxy(wired['function'] as number);
    if ('promise' in wired) {
      return new Promise((resolve, reject) => {
        settles.set(wired['promise'] as number, (value, error) =>
          error === undefined ? resolve(value) : reject(new Error(error as string)),
        );
      });
    }
    if ('array' in wired) return (wired['array'] as Detail[]).map(read);
    if ('error' in wired) return new Error(wired['error'] as string);
    if (!('object' in wired)) return wired['plain'];
    const entries = wired['object'] as [string, Detail][];
    return Object.fromEntries(entries.map(([key, item]) => [key, read(item)]));
  }

  function toProxy(id: number): Function {
    return (...args) => {
      const call = ++lastId;
      // The other end answers before this returns.
      post({ call, id, args: args.map(write) });
      const answer = answers.get(call) ?? { error: 'The other world is gone.' };
      answers.delete(call);
      if ('error' in answer) throw new Error(answer['error'] as string);
      return read(answer['value'] as Detail);
    };
  }

  function answer(call: number, id: number, args: Detail[]): void {
    try {
      post({ answer: call, value: write(functions.get(id)?.(...args.map(read))) });
    } catch (error) {
      post({ answer: call, error: toMessage(error) });
    }
  }

  target.addEventListener(incoming, (event) => {
    const { detail } = event as unknown as { detail: Detail };
    if ('call' in detail) {
      answer(detail['call'] as number, detail['id'] as number, detail['args'] as Detail[]);
    } else if ('answer' in detail) {
      answers.set(detail['answer'] as number, detail);
    } else if ('settle' in detail) {
      const settle = settles.get(detail['settle'] as number);
      settles.delete(detail['settle'] as number);
      if ('error' in detail) settle?.(undefined, detail['error']);
      else settle?.(read(detail['value'] as Detail), undefined);
    } else if ('expose' in detail) {
      onExpose(detail['expose'] as string, read(detail['value'] as Detail));
    }
  });

  return {
    expose: (name: string, value: unknown) => post({ expose: name, value: write(value) }),
    onExpose: (listener: (name: string, value: unknown) => void) => {
      onExpose = listener;
    },
  };
}

export type Port = ReturnType<typeof createPort>;
