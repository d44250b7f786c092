import type { Logger } from 'pino';
import type {
  EventName,
  EventPayload,
  SettingsChange,
  Snapshot,
  Trouble,
} from '../server/contract.ts';
import { modelIdOf } from '../server/http/models.ts';
import type { Problem } from '../server/problem.ts';
import { createRuntimeCommand } from '../server/runtime/process.ts';

import { sightglassVersion } from '../server/version.ts';
import type { CommandHandlers } from './commands.ts';
import { LoadHistory } from './load-history.ts';
import type { LogTail } from './log-tail.ts';
import { ModelShelf } from './model-shelf.ts';
import type { PanelWindow } from './panel-window.ts';
import type { Platform } from './platform.ts';
import { ServiceSwitch } from './service-switch.ts';
import { SettingsChanger, toServiceSettings } from './settings-changer.ts';

import type { SettingsStore } from './settings-store.ts';
import { takeSnapshot } from './snapshot.ts';
import { TryIt } from './try-it.ts';
import type { Updates } from './updates.ts';

export interface SightglassOptions {
  store: SettingsStore;
  /** Where the runtime, the demo model and the list of good models lie. */
  resources: URL;
  log: Logger;
  logTail: LogTail;
  logFolder: string;
  platform: Platform;
  updates: Pick<Updates, 'view' | 'check'>;
  panel: Pick<PanelWindow, 'keepOpen' | 'whileBusy' | 'hide'>;
  /** Tells the panel, if there is one. */
  send: <Name extends EventName>(name: Name, payload: EventPayload<Name>) => void;
  /** Told of every change of what a snapshot shows. */
  onChange: () => void;
}

/** The app without its windows: the switched service, what it tells of itself, what may be asked. */
export class Sightglass {
  readonly power: ServiceSwitch;
  readonly models: ModelShelf;
  readonly #options: SightglassOptions;
  readonly #history: LoadHistory;
  readonly handlers: CommandHandlers;
  readonly #tryIt: TryIt;
  readonly #changer: SettingsChanger;
  #trouble: Trouble | undefined;

  constructor(options: SightglassOptions) {
    const { resources, store, log, onChange } = options;
    const command = createRuntimeCommand(resources);
    this.#options = options;
    const onTrouble = (trouble: Trouble | undefined) => {
      this.#trouble = trouble;
    };
    const onRollback = (modelPath: string, failure: Problem) => this.#rollBack(modelPath, failure);
    this.power = new ServiceSwitch({ command, log, onChange, onRollback, onTrouble });
    const setOpenAtLogin = options.platform.setOpenAtLogin;
    this.#changer = new SettingsChanger({ store, power: this.power, setOpenAtLogin, onChange });
    this.#history = new LoadHistory(this.power.activity);
    this.models = new ModelShelf({
      resources,
      store,
      log,
      onChange,
      service: () => (this.power.view.phase === 'on' ? this.power.service : undefined),
      use: (modelPath) => this.#use(modelPath),
    });
    this.#tryIt = new TryIt({
      service: () => {
        const { view } = this.power;
        return view.phase === 'on' ? { url: view.url, apiKey: store.settings.apiKey } : undefined;
      },
      tell: (event) => options.send('answer', event),
    });
    this.handlers = this.#createHandlers();
  }

  snapshot(): Snapshot {
    const { store } = this.#options;
    return takeSnapshot({
      power: this.power,
      models: this.models,
      store,
      history: this.#history,
      trouble: this.#trouble,
      update: this.#options.updates.view,
    });
  }

  /** Starts the service, or says why it cannot. It must not serve without its key. */
  async start(): Promise<void> {
    const { store } = this.#options;
    this.#trouble = undefined;
    if (store.settings.modelPath === undefined) {
      this.power.refuse('No model has been chosen.', 'Choose one, or try the demo model.');
      return;
    }
    if (store.isKeyLocked) await store.unlock();
    if (store.isKeyLocked) {
      this.power.refuse(
        'The API key could not be read from the keychain, so the server was not started.',
        'Unlock the keychain and try again, or enter a new key or remove it in Settings.',
      );
      return;
    }
    await this.power.start(toServiceSettings(store.settings));
  }

  /** Ends everything: lets requests come to their end first, or cancels them. */
  async close(how: { now: boolean }): Promise<void> {
    await Promise.all([this.power.stop(how), this.models.close()]);
    this.#history.close();
    this.hidden();
  }

  /** Copies the report of `sightglass doctor`, and shows which checks failed. */
  async copyDiagnostics(): Promise<void> {
    const { store, resources, log, platform } = this.#options;
    const { settings, hubToken } = store;
    // Loaded on demand: nothing else in the app needs it.
    const { diagnose, toText } = await import('../server/doctor/doctor.ts');
    const report = await diagnose({
      version: sightglassVersion(),
      resources,
      settings,
      log,
      secrets: [settings.apiKey, hubToken],
    });
    await platform.copy(toText(report));
    const wrong = report.checks.filter(({ status }) => status === 'failed');
    await platform.say(
      'The diagnostics have been copied.',
      wrong.length === 0
        ? 'No check failed. The text holds no key, token or home folder.'
        : wrong.map(({ title, found, remedy }) => `${title}: ${found}\n${remedy}`).join('\n\n'),
    );
  }

  checkForUpdates(): Promise<void> {
    return this.#options.updates.check();
  }

  /** The panel is hidden: nobody reads what it was told as it came. */
  hidden(): void {
    this.#options.logTail.unwatch();
  }

  #createHandlers(): CommandHandlers {
    return {
      ...this.models.handlers,
      ...this.#tryIt.handlers,
      snapshot: () => this.snapshot(),
      history: () => [...this.#history.samples],
      start: () => this.start(),
      stop: (how) => this.power.stop(how),
      cancel: ({ id }) => this.power.activity.cancel(id),
      dismissTrouble: () => {
        this.#trouble = undefined;
        this.#options.onChange();
      },
      changeSettings: (changes) => this.#changeSettings(changes),
      unlockSecrets: async () => {
        await this.#options.store.unlock();
        this.#options.onChange();
      },
      chooseModelFolder: () => this.#options.panel.whileBusy(this.#options.platform.chooseFolder),
      copy: ({ text }) => this.#options.platform.copy(text),
      openLogs: () => this.#options.platform.openFolder(this.#options.logFolder),
      watchLog: () => {
        const { logTail, send } = this.#options;
        logTail.watch((lines) => send('log', lines));
        return logTail.lines();
      },
      unwatchLog: () => this.hidden(),
      keepOpen: ({ keep }) => this.#options.panel.keepOpen(keep),
      hide: () => this.#options.panel.hide(),
      quit: () => this.#options.platform.quit(),
    };
  }

  /** Starts a server that a locked key has kept from starting, once the key is replaced or removed. */
  async #changeSettings(changes: Record<string, unknown>): Promise<SettingsChange> {
    const { store } = this.#options;
    const wasLocked = store.isKeyLocked;
    const change = await this.#changer.change(changes);
    const isHeldBack = wasLocked && !store.isKeyLocked && this.power.view.phase === 'failed';
    if (isHeldBack) await this.start();
    return change;
  }

  /** As the panel does it: a first model is served at once. */
  async #use(modelPath: string): Promise<void> {
    await this.#changer.change({ modelPath });
    await this.start();
  }

  /** The person is told why their choice does not serve, and it is not their choice any more. */
  #rollBack(modelPath: string, { message, remedy }: Problem): void {
    const { store, log, onChange } = this.#options;
    const failed = modelIdOf(store.settings.modelPath ?? '');
    this.#trouble = {
      at: Date.now(),
      message: `${failed} could not be loaded, and ${modelIdOf(modelPath)} serves again. ${message}`,
      remedy,
    };
    store
      .update((settings) => ({ ...settings, modelPath }))
      .then(onChange, (error: unknown) =>
        log.error({ err: error }, 'the settings could not be saved'),
      );
  }
}
