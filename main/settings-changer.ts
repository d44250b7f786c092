import type { SettingsChange } from '../server/contract.ts';
import { ListenError } from '../server/http/http-server.ts';
import type { ServiceSwitch } from './service-switch.ts';
import { changeSettings, toServiceSettings } from './setting-changes.ts';
import type { SettingsStore } from './settings-store.ts';

export interface SettingsChangerOptions {
  store: SettingsStore;
  power: ServiceSwitch;
  setOpenAtLogin: (open: boolean) => void;
  /** Told once a change is saved. */
  onChange: () => void;
}

/** Makes the person's changes of settings, one after the other; each is saved once it works. */
export class SettingsChanger {
  readonly #options: SettingsChangerOptions;
  #last: Promise<unknown> = Promise.resolve();

  constructor(options: SettingsChangerOptions) {
    this.#options = options;
  }

  /** Null takes a setting back to its default. What cannot be is in the answer, and changes nothing. */
  change(changes: Record<string, unknown>): Promise<SettingsChange> {
    const change = () => this.#change(changes);
    const result = this.#last.then(change, change);
    this.#last = result;
    return result;
  }

  async #change(changes: Record<string, unknown>): Promise<SettingsChange> {
    const { store, power, setOpenAtLogin, onChange } = this.#options;
    const changed = changeSettings(store.settings, changes);
    if (!changed.ok) return { applied: 'no', problems: changed.problems };
    const { settings } = changed;
    try {
      const applied =
        settings.modelPath === undefined ? 'now' : await power.apply(toServiceSettings(settings));
      if (settings.startAtLogin !== store.settings.startAtLogin) {
        setOpenAtLogin(settings.startAtLogin);
      }
      if (changes['apiKey'] === null) await store.forgetLockedKey();
      // The key may have been decrypted since `settings` was read: only a change of it replaces it.
      await store.update(({ apiKey }) =>
        'apiKey' in changes || apiKey === undefined ? settings : { ...settings, apiKey },
      );
      onChange();
      return { applied };
    } catch (error) {
      if (!(error instanceof ListenError)) throw error;
      return { applied: 'no', problems: [{ setting: 'port', message: error.message }] };
    }
  }
}
