import { once } from 'node:events';
import { mkdir, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { execa } from 'execa';
import type { Vitals } from './service-monitor.ts';

const SAMPLE_MEMORY_EVERY_MS = 250;

interface LogLine {
  msg: string;
  runtimePid?: number;
}

/** A service started from the command line and monitored from another process. */
export class ServiceProcess {
  readonly folder: string;
  readonly logLines: string[] = [];
  /** The runtimes that it has started, latest last. */
  readonly runtimePids: number[] = [];
  url = '';
  /** The peak resident memory of its runtimes. */
  peakRuntimeBytes = 0;
  readonly #child: ReturnType<typeof spawnService>;
  readonly #listeners = new Set<(line: LogLine) => void>();
  #sampler: NodeJS.Timeout | undefined;

  private constructor(folder: string, args: readonly string[], memoryMegabytes?: number) {
    this.folder = folder;
    this.#child = spawnService(folder, args, memoryMegabytes);
    createInterface({ input: this.#child.stderr }).on('line', (text) => this.#onLogLine(text));
    createInterface({ input: this.#child.stdout }).on('line', (text) => {
      this.url ||= /http:\/\/[\w.:[\]]+(?=\/v1$)/.exec(text)?.[0] ?? '';
    });
    this.#sampler = setInterval(() => void this.#sampleMemory(), SAMPLE_MEMORY_EVERY_MS);
  }

  /** Resolves when the service is ready. `memoryMegabytes` limits Node's heap. */
  static async start(args: readonly string[] = [], memoryMegabytes?: number) {
    const folder = await mkdtemp(join(tmpdir(), 'sightglass-faults-'));
    await mkdir(join(folder, 'tmp'));
    const service = new ServiceProcess(folder, args, memoryMegabytes);
    await service.logged('runtime ready');
    while (service.url === '') await once(service.#child.stdout, 'data');
    return service;
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  get runtimePid(): number {
    return this.runtimePids.at(-1) ?? 0;
  }

  /** Resolves when the process has exited. */
  get ended() {
    return Promise.resolve(this.#child);
  }

  /** Resolves at the next log message with this prefix. Rejects if the service exits first. */
  logged(prefix: string): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const listener = ({ msg }: LogLine) => {
      if (msg.startsWith(prefix)) resolve();
    };
    this.#listeners.add(listener);
    void this.ended.then(() => reject(new Error(`The service exited: ${this.lastLines}`)));
    return promise.finally(() => this.#listeners.delete(listener));
  }

  get lastLines(): string {
    return this.logLines.slice(-5).join('\n');
  }

  /** Returns the vitals of the process; with `collect`, after a garbage collection. */
  async vitals({ collect = false } = {}): Promise<Vitals> {
    const reply = this.#child.getOneMessage();
    await this.#child.sendMessage({ collect });
    return (await reply) as unknown as Vitals;
  }

  /** Counts the temporary folders of Sightglass, including the one for the current runtime's socket. */
  async temporaryFolders(): Promise<number> {
    const names = await readdir(join(this.folder, 'tmp')); // also contains MLX's compiled kernels
    return names.filter((name) => name.startsWith('sightglass-')).length;
  }

  /** Sends a signal, unless the process has already exited. */
  kill(signal: NodeJS.Signals): void {
    if (isAlive(this.pid)) process.kill(this.pid, signal);
  }

  /** Stops it gracefully and removes its files. */
  async stop(): Promise<void> {
    clearInterval(this.#sampler);
    this.#child.kill('SIGTERM');
    await this.ended;
    await rm(this.folder, { recursive: true, force: true });
  }

  #onLogLine(text: string): void {
    this.logLines.push(text);
    if (this.logLines.length > 1000) this.logLines.shift();
    const line = parseLine(text);
    if (line === undefined) return;
    if (line.msg === 'runtime loading' && line.runtimePid !== undefined) {
      this.runtimePids.push(line.runtimePid);
    }
    for (const listener of this.#listeners) listener(line);
  }

  /** The resident memory of the current runtime. */
  async runtimeBytes(): Promise<number> {
    const args = ['-o', 'rss=', '-p', `${this.runtimePid}`];
    const { stdout } = await execa('ps', args, { reject: false });
    return Number(stdout) * 1024 || 0;
  }

  async #sampleMemory(): Promise<void> {
    this.peakRuntimeBytes = Math.max(this.peakRuntimeBytes, await this.runtimeBytes());
  }
}

/** Returns whether the process exists. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

function spawnService(folder: string, args: readonly string[], memoryMegabytes?: number) {
  const monitor = new URL('./service-monitor.ts', import.meta.url).href;
  const heap = memoryMegabytes === undefined ? [] : [`--max-old-space-size=${memoryMegabytes}`];
  const flags = ['--host', '127.0.0.1', '--port', '0', '--log-format', 'json', ...args];
  return execa(
    process.execPath,
    ['--expose-gc', ...heap, '--import', monitor, 'server/cli.ts', ...flags],
    {
      ipc: true,
      reject: false,
      buffer: false,
      env: { XDG_STATE_HOME: folder, TMPDIR: join(folder, 'tmp') },
    },
  );
}

function parseLine(text: string): LogLine | undefined {
  try {
    return JSON.parse(text) as LogLine;
  } catch {
    return undefined;
  }
}
