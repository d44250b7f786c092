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
import { ModelLibrary } from './model-library.ts';
import type { PanelWindow } from './panel-window.ts';
import type { Platform } from './platform.ts';
import { ServiceController } from './service-controller.ts';
import { SettingsChanger, toServiceSettings } from './settings-changer.ts';
import type { SettingsStore } from './settings-store.ts';
import { takeSnapshot } from './snapshot.ts';
import { TryIt } from './try-it.ts';
import type { Updates } from './updates.ts';

export interface SightglassOptions {
  store: SettingsStore;
  /** The folder with the runtime, the demo model and the list of suggested models. */
  resources: URL;
  log: Logger;
  logTail: LogTail;
  logFolder: string;
  platform: Platform;
  updates: Pick<Updates, 'view' | 'check'>;
  panel: Pick<PanelWindow, 'keepOpen' | 'whileBusy' | 'hide'>;
  /** Sends an event to the panel, if it exists. */
  send: <Name extends EventName>(name: Name, payload: EventPayload<Name>) => void;
  /** Called when a new snapshot would differ from the last one. */
  onChange: () => void;
}

/**
 * The app without its windows: the service, the models and the settings, behind one snapshot of the
 * state and one handler per command.
 */
export class Sightglass {
  readonly controller: ServiceController;
  readonly models: ModelLibrary;
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
    this.controller = new ServiceController({ command, log, onChange, onRollback, onTrouble });
    const setOpenAtLogin = options.platform.setOpenAtLogin;
    this.#changer = new SettingsChanger({
      store,
      controller: this.controller,
      setOpenAtLogin,
      onChange,
    });
    this.#history = new LoadHistory(this.controller.activity);
    this.models = new ModelLibrary({
      resources,
      store,
      log,
      onChange,
      service: () => (this.controller.view.phase === 'on' ? this.controller.service : undefined),
      use: (modelPath) => this.#use(modelPath),
    });
    this.#tryIt = new TryIt({
      service: () => {
        const { view } = this.controller;
        return view.phase === 'on' ? { url: view.url, apiKey: store.settings.apiKey } : undefined;
      },
      send: (event) => options.send('answer', event),
    });
    this.handlers = this.#createHandlers();
  }

  snapshot(): Snapshot {
    const { store } = this.#options;
    return takeSnapshot({
      controller: this.controller,
      models: this.models,
      store,
      history: this.#history,
      trouble: this.#trouble,
      update: this.#options.updates.view,
    });
  }

  /** Starts the service, or reports why it cannot start. It never runs without the API key that was set. */
  async start(): Promise<void> {
    const { store } = this.#options;
    this.#trouble = undefined;
    if (store.settings.modelPath === undefined) {
      this.controller.reportFailure(
        'No model has been chosen.',
        'Choose one, or try the demo model.',
      );
      return;
    }
    if (store.isKeyLocked) await store.unlock();
    if (store.isKeyLocked) {
      this.controller.reportFailure(
        'The API key could not be read from the keychain, so the server was not started.',
        'Unlock the keychain and try again, or enter a new key or remove it in Settings.',
      );
      return;
    }
    await this.controller.start(toServiceSettings(store.settings));
  }

  /** Stops everything. Lets requests finish first, or cancels them with `now`. */
  async close(how: { now: boolean }): Promise<void> {
    await Promise.all([this.controller.stop(how), this.models.close()]);
    this.#history.close();
    this.onPanelHidden();
  }

  /** Copies the report of `sightglass doctor` to the clipboard, and shows which checks failed. */
  async copyDiagnostics(): Promise<void> {
    const { store, resources, log, platform } = this.#options;
    const { settings, hubToken } = store;
    // Loaded on demand, because nothing else in the app needs it.
    const { diagnose, toText } = await import('../server/doctor/doctor.ts');
    const report = await diagnose({
      version: sightglassVersion(),
      resources,
      settings,
      log,
      secrets: [settings.apiKey, hubToken],
    });
    await platform.copy(toText(report));
    const failed = report.checks.filter(({ status }) => status === 'failed');
    await platform.showInfo(
      'The diagnostics have been copied.',
      failed.length === 0
        ? 'All checks passed. The text contains no API key, token or home folder.'
        : failed.map(({ title, found, remedy }) => `${title}: ${found}\n${remedy}`).join('\n\n'),
    );
  }

  checkForUpdates(): Promise<void> {
    return this.#options.updates.check();
  }

  /** Stops sending log lines to a panel that is not visible. */
  onPanelHidden(): void {
    this.#options.logTail.unwatch();
  }

  #createHandlers(): CommandHandlers {
    return {
      ...this.models.handlers,
      ...this.#tryIt.handlers,
      snapshot: () => this.snapshot(),
      history: () => [...this.#history.samples],
      start: () => this.start(),
      stop: (how) => this.controller.stop(how),
      cancel: ({ id }) => this.controller.activity.cancel(id),
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
      unwatchLog: () => this.onPanelHidden(),
      keepOpen: ({ keep }) => this.#options.panel.keepOpen(keep),
      hide: () => this.#options.panel.hide(),
      quit: () => this.#options.platform.quit(),
    };
  }

  /** Also starts the server if a locked API key prevented that, and the key is now replaced or removed. */
  async #changeSettings(changes: Record<string, unknown>): Promise<SettingsChange> {
    const { store } = this.#options;
    const wasLocked = store.isKeyLocked;
    const change = await this.#changer.change(changes);
    const canStartNow = wasLocked && !store.isKeyLocked && this.controller.view.phase === 'failed';
    if (canStartNow) await this.start();
    return change;
  }

  /** Chooses a model and starts the server, as the panel does for the first model. */
  async #use(modelPath: string): Promise<void> {
    await this.#changer.change({ modelPath });
    await this.start();
  }

  /** Explains why the chosen model could not be loaded, and restores the previous choice. */
  #rollBack(modelPath: string, { message, remedy }: Problem): void {
    const { store, log, onChange } = this.#options;
    const failed = modelIdOf(store.settings.modelPath ?? '');
    this.#trouble = {
      at: Date.now(),
      message: `${failed} could not be loaded, so ${modelIdOf(modelPath)} is used again. ${message}`,
      remedy,
    };
    store
      .update((settings) => ({ ...settings, modelPath }))
      .then(onChange, (error: unknown) =>
        log.error({ err: error }, 'the settings could not be saved'),
      );
  }
}
