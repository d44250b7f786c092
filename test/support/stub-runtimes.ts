import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { RuntimeCommand } from '../../server/runtime/process.ts';
import type { ReadyLine } from '../../server/runtime/protocol.ts';

import type { Command, Report } from './stub-runtime.ts';

/** A list of items that arrive over time; each can be awaited before it arrives. */
class Arrivals<T> {
  readonly all: T[] = [];
  readonly #wanted: { index: number; resolve: (item: T) => void }[] = [];

  push(item: T): void {
    const index = this.all.push(item) - 1;
    for (const each of this.#wanted) if (each.index === index) each.resolve(item);
  }

  /** Resolves with the item at this index once it has arrived. */
  at(index: number): Promise<T> {
    const item = this.all[index];
    if (item !== undefined) return Promise.resolve(item);
    return new Promise((resolve) => this.#wanted.push({ index, resolve }));
  }
}

type Request = Extract<Report, { type: 'request' }>;

export const readyLine: ReadyLine = {
  event: 'ready',
  model: 'stub',
  model_type: 'stub',
  load_seconds: 0.1,
  memory_bytes: 5,
  context_length: 4096,
  quantization: '4-bit',
  sees_images: true,
  vocab_size: null,
  media_tokens: [],
  template_names: [],
  template: { tools: 'native', thinking: 'optional', reasoning_effort: true },
  device: 'cpu',
  versions: { mlx_vlm: 'stub' },
};

/** A piece of an answer, as mlx_vlm streams it. */
export function chunk(content: string, finish_reason: string | null = null): object {
  return { choices: [{ delta: { content }, finish_reason }] };
}

export const usage = { prompt_tokens: 7, completion_tokens: 2, total_tokens: 9 };

/** One stub process. */
export class StubProcess {
  readonly model: string;
  readonly pid: number;
  readonly socketPath: string;
  readonly requests = new Arrivals<Request>();
  readonly closed = new Arrivals<string>();
  readonly terms = new Arrivals<true>();
  /** Requests for its progress. */
  readonly probes = new Arrivals<true>();
  readonly #control: Socket;

  constructor({ model, pid, socketPath }: Extract<Report, { type: 'started' }>, control: Socket) {
    this.model = model;
    this.pid = pid;
    this.socketPath = socketPath;
    this.#control = control;
  }

  hear(report: Report): void {
    if (report.type === 'request') this.requests.push(report);
    if (report.type === 'closed') this.closed.push(report.id);
    if (report.type === 'SIGTERM') this.terms.push(true);
    if (report.type === 'probe') this.probes.push(true);
  }

  command(command: Command): void {
    if (this.#control.writable) this.#control.write(`${JSON.stringify(command)}\n`);
  }

  loading(): void {
    this.command({ do: 'say', line: { event: 'loading', model: this.model, pid: this.pid } });
  }

  ready(more: Partial<ReadyLine> = {}): void {
    this.loading();
    this.command({ do: 'say', line: { ...readyLine, model: this.model, ...more } });
  }

  fatal(reason = 'model_incomplete'): void {
    this.loading();
    const line = {
      event: 'fatal',
      reason,
      message: `${this.model} is broken.`,
      remedy: 'Mend it.',
    };
    this.command({ do: 'say', line: line as never });
    this.command({ do: 'exit', code: 1 });
  }

  /** Does nothing if it has already exited. */
  kill(signal: NodeJS.Signals = 'SIGKILL'): void {
    try {
      process.kill(this.pid, signal);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
    }
  }

  send(id: string, ...texts: string[]): void {
    for (const text of texts) this.command({ do: 'send', id, data: chunk(text) });
  }

  /** Ends an answer as mlx_vlm does: the finish reason, the usage, and `[DONE]`. */
  finish(id: string, reason = 'stop'): void {
    for (const data of [chunk('', reason), { choices: [], usage }, '[DONE]']) {
      this.command({ do: 'send', id, data });
    }
  }

  fail(id: string, error: string): void {
    this.command({ do: 'send', id, data: { error } });
  }

  answer(id: string, text: string): void {
    this.send(id, text);
    this.finish(id);
  }
}

/** The stub processes that a supervisor starts with `command`, for the test to control. */
export class StubRuntimes implements AsyncDisposable {
  readonly command: RuntimeCommand;
  readonly processes = new Arrivals<StubProcess>();
  readonly #close: () => Promise<void>;

  private constructor(command: RuntimeCommand, close: () => Promise<void>) {
    this.command = command;
    this.#close = close;
  }

  /** `onStart` is called with each process when it starts; by default the process becomes ready. */
  static async create(
    onStart: (process: StubProcess, runtimes: StubRuntimes) => void = (each) => each.ready(),
  ): Promise<StubRuntimes> {
    const folder = await mkdtemp(join(tmpdir(), 'stub-'));
    const control = join(folder, 'control.sock');
    const server = createServer((socket) => {
      socket.on('error', () => {}); // a stub that is killed does not read what was sent to it
      let stub: StubProcess | undefined;
      const lines = createInterface({ input: socket });
      lines.on('error', () => {}); // it was killed
      lines.on('line', (line) => {
        const report = JSON.parse(line) as Report;
        stub?.hear(report);
        if (report.type !== 'started') return;
        stub = new StubProcess(report, socket);
        runtimes.processes.push(stub);
        onStart(stub, runtimes);
      });
    });
    const script = fileURLToPath(new URL('stub-runtime.ts', import.meta.url));
    const runtimes = new StubRuntimes(
      { python: process.execPath, args: [script], env: { STUB_CONTROL: control } },
      async () => {
        server.close();
        await rm(folder, { recursive: true, force: true });
      },
    );
    await once(server.listen(control), 'listening');
    return runtimes;
  }

  /** Resolves with the process at this index once it has started. */
  at(index: number): Promise<StubProcess> {
    return this.processes.at(index);
  }

  get count(): number {
    return this.processes.all.length;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#close();
  }
}
