import type { LaunchOptions, RuntimeProcess } from '../../server/runtime/process.ts';
import type { LauncherLine } from '../../server/runtime/protocol.ts';
import { readyLine } from './stub-runtimes.ts';

/** Models that can be loaded, and two that cannot. */
export const MODELS = ['A', 'B', 'C', 'broken', 'also broken'] as const;
/** Whether the model cannot be loaded. */
export const isBroken = (model: string) => model.endsWith('broken');

/** An in-memory process that only does what the sequence says, except that it dies when killed. */
export class FakeProcess implements RuntimeProcess {
  readonly socketPath = '/nowhere';
  readonly exited: Promise<string>;
  readonly cleanedUp: Promise<void>;
  readonly model: string;
  readonly startedAt = Date.now();
  isAlive = true;
  isAskedToStop = false;
  /** Lines printed so far: loading, then ready or fatal. */
  said = 0;
  readonly #exit = Promise.withResolvers<string>();
  readonly #onLine: (line: LauncherLine) => void;
  readonly #onStop: (process: FakeProcess) => void;

  constructor({ modelPath, onLine }: LaunchOptions, onStop: (process: FakeProcess) => void) {
    this.model = modelPath;
    this.#onLine = onLine;
    this.#onStop = onStop;
    this.exited = this.#exit.promise;
    this.cleanedUp = this.exited.then(() => {});
  }

  get isReady(): boolean {
    return this.said === 2 && !isBroken(this.model);
  }

  stop(): void {
    this.#onStop(this);
    this.isAskedToStop = true;
  }

  kill(): void {
    this.isAskedToStop = true;
    this.die('killed by SIGKILL');
  }

  die(reason: string): void {
    this.isAlive = false;
    this.#exit.resolve(reason);
  }

  goOn(): void {
    if (!this.isAlive || this.said === 2) return;
    this.said += 1;
    if (this.said === 1) this.say({ event: 'loading', model: this.model, pid: 1 });
    else if (!isBroken(this.model)) this.say({ ...readyLine, model: this.model });
    else {
      const failure = { reason: 'model_incomplete', message: `${this.model}.`, remedy: '' };
      this.say({ event: 'fatal', ...failure });
      this.die('exit code 1');
    }
  }

  say(line: LauncherLine): void {
    if (this.isAlive) this.#onLine(line);
  }
}
