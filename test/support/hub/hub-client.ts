import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pino, { type Logger } from 'pino';
import type { Download } from '../../../server/contract.ts';
import { Downloads } from '../../../server/models/downloads.ts';
import { listCandidates } from '../../../server/models/places.ts';
import { ModelsProgram } from '../../../server/models/program.ts';
import { createModelsCommand } from '../../../server/runtime/process.ts';

import { resources } from '../service.ts';

/** Downloads from the local Hub into its own cache. */
export class HubClient {
  readonly home: string;
  readonly env: Readonly<Record<string, string>>;
  readonly program: ModelsProgram;
  readonly downloads: Downloads;
  /** All reported states of its downloads, in order. */
  readonly reported: Download[] = [];
  token: string | undefined;
  readonly #waiting = new Set<() => void>();

  private constructor(
    home: string,
    hubUrl: string,
    { log, from, env }: { log: Logger; from: URL; env: Readonly<Record<string, string>> },
  ) {
    this.home = home;
    this.env = { HF_HOME: home, HF_ENDPOINT: hubUrl, HF_TOKEN: '', HOME: home, ...env };
    const command = { ...createModelsCommand(from), env: this.env };
    this.program = new ModelsProgram(command, log);
    this.downloads = new Downloads({
      program: this.program,
      access: () => ({ token: this.token }),
      onChange: () => {
        this.reported.push(...this.downloads.list);
        for (const check of this.#waiting) check();
      },
    });
  }

  static async start(
    hubUrl: string,
    {
      home,
      log = pino({ level: 'silent' }),
      from = resources,
      env = {},
    }: {
      home?: string;
      log?: Logger;
      /** The folder of the runtime. */
      from?: URL;
      env?: Readonly<Record<string, string>>;
    } = {},
  ): Promise<HubClient> {
    const folder = home ?? (await mkdtemp(join(tmpdir(), 'sightglass-hub-')));
    return new HubClient(folder, hubUrl, { log, from, env });
  }

  /** Resolves once a download meets the condition. */
  until(condition: (download: Download) => boolean): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const check = () => {
      if (!this.downloads.list.some(condition)) return;
      this.#waiting.delete(check);
      resolve();
    };
    this.#waiting.add(check);
    check();
    return promise;
  }

  /** The models in its cache that are offered to the user. */
  async offered(): Promise<string[]> {
    const found = await listCandidates([], { HF_HOME: this.home }, this.home);
    return found.map(({ path }) => path);
  }

  /** The phases of the download, without consecutive duplicates. */
  get phases(): string[] {
    const phases = this.reported.map(({ phase }) => phase);
    return phases.filter((phase, index) => phase !== phases[index - 1]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.downloads.close();
    await rm(this.home, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 });
  }
}
