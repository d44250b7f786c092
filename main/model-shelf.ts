import { readdir } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Logger } from 'pino';
import type { Check, Download, FoundModel, ModelPlace } from '../server/contract.ts';
import { Downloads } from '../server/models/downloads.ts';
import { findModels, measureMachine } from '../server/models/find-models.ts';
import { HUB_NAME, toModelName } from '../server/models/names.ts';
import {
  type CachedModel,
  hubCache,
  listCachedModels,
  listPlaces,
  type Place,
} from '../server/models/places.ts';
import { type MachineLine, ModelsProgram } from '../server/models/program.ts';
import { suggestModels } from '../server/models/views.ts';
import { createModelsCommand } from '../server/runtime/process.ts';
import type { Service } from '../server/service.ts';

import type { CommandHandlers } from './commands.ts';
import type { SettingsStore } from './settings-store.ts';

/** The folder of the demo model in this copy of the app. */
export function demoModelIn(resources: URL): string {
  return fileURLToPath(new URL('models/demo', resources));
}

export interface ModelShelfOptions {
  /** Where the runtime and the list of good models lie. */
  resources: URL;
  store: SettingsStore;
  log: Logger;
  /** The service, when it is on. */
  service: () => Service | undefined;
  /** Serves this model from now on. */
  use: (modelPath: string) => Promise<void>;
  onChange: () => void;
}

/** The models of this Mac, those on their way here, and the check of the one that is served. */
export class ModelShelf {
  readonly demoModel: string;
  readonly #options: ModelShelfOptions;
  readonly #program: ModelsProgram;
  readonly #downloads: Downloads;
  #check: { modelPath: string | undefined; view: Check } | undefined;
  #checking: AbortController | undefined;
  /** The download that is to be served once it is here, however often it was paused. */
  #toUse: string | undefined;
  /** It has what it has; asked once. */
  #machine: Promise<MachineLine> | undefined;

  constructor(options: ModelShelfOptions) {
    const { resources, store, log, onChange } = options;
    this.#options = options;
    this.demoModel = demoModelIn(resources);
    this.#program = new ModelsProgram(
      createModelsCommand(resources),
      log.child({ part: 'models' }),
    );
    this.#downloads = new Downloads({
      program: this.#program,
      access: () => ({ token: store.hubToken, endpoint: store.settings.hubEndpoint }),
      onChange,
    });
  }

  get downloads(): readonly Download[] {
    return this.#downloads.list;
  }

  get isDownloading(): boolean {
    return this.downloads.some(({ phase }) => phase !== 'paused' && phase !== 'failed');
  }

  /** Of the model that the settings name; that of another one is history. */
  get check(): Check | undefined {
    const { modelPath } = this.#options.store.settings;
    return this.#check?.modelPath === modelPath ? this.#check?.view : undefined;
  }

  /** Lists what was not finished when the app was last open. */
  restore(): Promise<void> {
    return this.#downloads.restore();
  }

  /** Pauses the downloads, and gives up the check. */
  async close(): Promise<void> {
    this.#checking?.abort();
    await this.#downloads.close();
  }

  readonly handlers: Pick<
    CommandHandlers,
    | 'findModels'
    | 'modelPlaces'
    | 'suggestModels'
    | 'demoModel'
    | 'download'
    | 'pauseDownload'
    | 'cancelDownload'
    | 'setHubToken'
    | 'checkModel'
    | 'stopCheck'
  > = {
    findModels: () => this.#findModels(),
    modelPlaces: () => listModelPlaces(this.#places),
    suggestModels: async () => {
      const { resources, store } = this.#options;
      this.#machine ??= measureMachine(this.#program);
      this.#machine.catch(() => {
        this.#machine = undefined;
      });
      return suggestModels(resources, await this.#machine, store.settings.maxConcurrency);
    },
    demoModel: () => this.demoModel,
    download: ({ id: pasted, use }) => {
      const id = toModelName(pasted);
      if (!HUB_NAME.test(id))
        throw new Error(`${id} is not a Hugging Face model id. Use owner/name.`);
      void this.#download(id, use);
    },
    pauseDownload: ({ id }) => this.#downloads.pause(id),
    cancelDownload: ({ id }) => {
      if (this.#toUse === id) this.#toUse = undefined;
      return this.#downloads.cancel(id);
    },
    setHubToken: async ({ token }) => {
      await this.#options.store.saveHubToken(token);
      this.#options.onChange();
    },
    checkModel: () => {
      const service = this.#options.service();
      if (service === undefined) throw new Error('The server is off. Start it, then check.');
      if (this.#checking === undefined) void this.#runCheck(service);
    },
    stopCheck: () => this.#checking?.abort(),
  };

  /** The folders to search besides those of other apps. */
  get #places(): Place[] {
    const own = { name: 'Sightglass', folder: join(this.demoModel, '..') };
    const { modelFolders } = this.#options.store.settings;
    return [own, ...modelFolders.map((folder) => ({ name: folder, folder }))];
  }

  async #findModels(): Promise<FoundModel[]> {
    const { modelFolders, maxConcurrency } = this.#options.store.settings;
    const cached = await Promise.all(
      modelFolders.map(async (name) =>
        (await listAddedCache(name)).map(({ folder, id }) => ({ name, folder, id })),
      ),
    );
    const places = [...this.#places, ...cached.flat()];
    const found = await findModels({ program: this.#program, places, maxConcurrency });
    const ids = new Map(cached.flat().map(({ folder, id }) => [folder, id]));
    return found.map((model) => ({ ...model, name: ids.get(model.path) ?? model.name }));
  }

  /** What becomes of it is in the list. */
  async #download(id: string, use: boolean): Promise<void> {
    try {
      if (use) this.#toUse = id;
      await this.#downloads.start(id);
      if (this.#toUse !== id) return;
      this.#toUse = undefined;
      await this.#options.use(id);
    } catch (error) {
      if ((error as Error).name !== 'AbortError') {
        this.#options.log.warn({ model: id, reason: (error as Error).message }, 'download failed');
      }
    }
  }

  async #runCheck(service: Service): Promise<void> {
    const { store, log } = this.#options;
    const { modelPath } = store.settings;
    const show = (view?: Check) => {
      this.#check = view === undefined ? undefined : { modelPath, view };
      this.#options.onChange();
    };
    const controller = new AbortController();
    this.#checking = controller;
    try {
      const { signal } = controller;
      const onProgress = (done: number, of: number) => show({ phase: 'running', done, of });
      show({ phase: 'done', result: await service.check({ signal, onProgress }) });
    } catch (error) {
      if (controller.signal.aborted) return show();
      log.warn({ err: error }, 'the check failed');
      show({ phase: 'failed', message: (error as Error).message });
    } finally {
      this.#checking = undefined;
    }
  }
}

/** Every folder that is searched for models, and whether the app can read it. */
export async function listModelPlaces(
  more: readonly Place[],
  env: NodeJS.ProcessEnv = process.env,
  home = homedir(),
): Promise<ModelPlace[]> {
  const places = [
    { name: 'Hugging Face cache', folder: hubCache(env, home) },
    ...(await listPlaces(more, env, home)),
  ];
  const byFolder = new Map(places.map((place) => [place.folder, place]));
  return await Promise.all(
    [...byFolder.values()].map(async (place) => ({
      ...place,
      exists: await readdir(place.folder).then(
        () => true,
        () => false,
      ),
    })),
  );
}

/**
 * The models of an added folder that is a Hugging Face cache, or an `HF_HOME` that contains one. A
 * user whose shell sets `HF_HOME` adds that folder, because an app opened from Finder does not see
 * the variable. The app's own cache is left out: it is searched anyway.
 */
export async function listAddedCache(
  folder: string,
  env: NodeJS.ProcessEnv = process.env,
  home = homedir(),
): Promise<CachedModel[]> {
  const own = hubCache(env, home);
  const caches = [folder, join(folder, 'hub')].filter((cache) => cache !== own);
  return (await Promise.all(caches.map(listCachedModels))).flat();
}
