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

/** Returns the folder of the demo model in this copy of the app. */
export function demoModelIn(resources: URL): string {
  return fileURLToPath(new URL('models/demo', resources));
}

export interface ModelLibraryOptions {
  /** The folder with the runtime and the list of suggested models. */
  resources: URL;
  store: SettingsStore;
  log: Logger;
  /** The service, if it is running. */
  service: () => Service | undefined;
  /** Chooses this model and serves it. */
  use: (modelPath: string) => Promise<void>;
  onChange: () => void;
}

/** The models on this Mac, their downloads, and the check of the current model. */
export class ModelLibrary {
  readonly demoModel: string;
  readonly #options: ModelLibraryOptions;
  readonly #program: ModelsProgram;
  readonly #downloads: Downloads;
  #check: { modelPath: string | undefined; view: Check } | undefined;
  #checking: AbortController | undefined;
  /** The download to serve once it is complete, even if it is paused and resumed. */
  #useWhenDone: string | undefined;
  /** Machine memory never changes, so it is measured once. */
  #machine: Promise<MachineLine> | undefined;

  constructor(options: ModelLibraryOptions) {
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

  /** The latest check, if it was of the current model. */
  get check(): Check | undefined {
    const { modelPath } = this.#options.store.settings;
    return this.#check?.modelPath === modelPath ? this.#check?.view : undefined;
  }

  /** Lists downloads that were unfinished when the app last quit. */
  restore(): Promise<void> {
    return this.#downloads.restore();
  }

  /** Pauses downloads and cancels the check. */
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
      void this.#startDownload(id, use);
    },
    pauseDownload: ({ id }) => this.#downloads.pause(id),
    cancelDownload: ({ id }) => {
      if (this.#useWhenDone === id) this.#useWhenDone = undefined;
      return this.#downloads.cancel(id);
    },
    setHubToken: async ({ token }) => {
      await this.#options.store.saveHubToken(token);
      this.#options.onChange();
    },
    checkModel: () => {
      const service = this.#options.service();
      if (service === undefined)
        throw new Error('The server is off. Start it, then check the model.');
      if (this.#checking === undefined) void this.#runCheck(service);
    },
    stopCheck: () => this.#checking?.abort(),
  };

  /** The folders to search in addition to those of other apps. */
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

  /** Never rejects; `downloads` has the result. */
  async #startDownload(id: string, use: boolean): Promise<void> {
    try {
      if (use) this.#useWhenDone = id;
      await this.#downloads.start(id);
      if (this.#useWhenDone !== id) return;
      this.#useWhenDone = undefined;
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
      log.warn({ err: error }, 'model check failed');
      show({ phase: 'failed', message: (error as Error).message });
    } finally {
      this.#checking = undefined;
    }
  }
}

/** Lists the folders that are searched for models, and whether the app can read them. */
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
 * Lists the models in an added folder that is a Hugging Face cache, or an `HF_HOME` that contains one.
 * Users whose shell sets `HF_HOME` add that folder, because an app opened from Finder does not see the
 * variable. The default cache is skipped, because it is always searched.
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
