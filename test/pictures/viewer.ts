import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface, type Interface } from 'node:readline';
import { fileURLToPath } from 'node:url';

interface Comparison {
  file: string;
  sent?: string;
  background?: string;
}

/** Runs `viewer.py`, which compares one picture at a time. */
export class Viewer {
  readonly #python: string;
  #child: ChildProcess | undefined;
  #lines: Interface | undefined;

  constructor(python: string) {
    this.#python = python;
  }

  /** Compares two images. If Pillow's process crashes, resolves with an error and restarts it next time. */
  async compare(comparison: Comparison): Promise<{ difference?: number; error?: string }> {
    if (this.#child === undefined) this.#start();
    const [child, lines] = [this.#child, this.#lines];
    if (child === undefined || lines === undefined) throw new TypeError('The viewer is closed.');
    const exited = new AbortController();
    const reply = once(lines, 'line', { signal: exited.signal });
    child.once('exit', () => exited.abort());
    child.stdin?.write(`${JSON.stringify(comparison)}\n`);
    try {
      const [line] = await reply;
      return JSON.parse(line);
    } catch {
      this.#child = undefined;
      return { error: `Pillow crashed (${child.signalCode ?? `exit code ${child.exitCode}`})` };
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
