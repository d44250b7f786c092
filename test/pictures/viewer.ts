import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface, type Interface } from 'node:readline';
import { fileURLToPath } from 'node:url';

interface Asked {
  file: string;
  sent?: string;
  background?: string;
}

/** Runs `viewer.py`, which compares pictures one after the other. */
export class Viewer {
  readonly #python: string;
  #child: ChildProcess | undefined;
  #lines: Interface | undefined;

  constructor(python: string) {
    this.#python = python;
  }

  /** A picture that ends the process of Pillow is an error of that picture alone. */
  async compare(asked: Asked): Promise<{ difference?: number; error?: string }> {
    if (this.#child === undefined) this.#start();
    const [child, lines] = [this.#child, this.#lines];
    if (child === undefined || lines === undefined) throw new TypeError('The viewer is closed.');
    const ended = new AbortController();
    const answer = once(lines, 'line', { signal: ended.signal });
    child.once('exit', () => ended.abort());
    child.stdin?.write(`${JSON.stringify(asked)}\n`);
    try {
      const [line] = await answer;
      return JSON.parse(line);
    } catch {
      this.#child = undefined;
      return { error: `Pillow ended by ${child.signalCode ?? child.exitCode}` };
    } finally {
      child.removeAllListeners('exit');
    }
  }

  close(): void {
    this.#child?.stdin?.end();
  }

  #start(): void {
    const script = fileURLToPath(new URL('viewer.py', import.meta.url));
    const child = spawn(this.#python, ['-I', script], { stdio: ['pipe', 'pipe', 'ignore'] });
    this.#child = child;
    this.#lines = createInterface({ input: child.stdout });
  }
}
