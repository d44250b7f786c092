import { existsSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import Conf from 'conf';
import { z } from 'zod';
import { AppSettings } from '../server/contract.ts';

/** Encrypts secrets: with the keychain, through Electron's safeStorage. */
export interface Cipher {
  encrypt(text: string): Promise<string>;
  decrypt(secret: string): Promise<string>;
}

/** The secrets, with the names of their ciphertexts in `settings.json`. */
const SECRETS = { apiKey: 'apiKeySecret', hubToken: 'hubTokenSecret' } as const;
type SecretName = keyof typeof SECRETS;

/** A secret's ciphertext, and its plaintext unless the keychain refused to decrypt it. */
interface Secret {
  cipherText: string;
  text?: string;
}
type Secrets = Partial<Record<SecretName, Secret>>;

/** The content of `settings.json`: settings, and encrypted secrets. */
interface Stored {
  settings?: Record<string, unknown> | null;
  apiKeySecret?: string;
  hubTokenSecret?: string;
  recentModels?: string[];
}

/** The same content in memory. */
interface State {
  settings: AppSettings;
  secrets: Secrets;
  recentModels: readonly string[];
}

const MAX_RECENT_MODELS = 5;
/** Stored instead of the demo model's path, which changes when the app is moved. */
const DEMO_MODEL = 'demo';
/** The end of the absolute path that earlier versions stored for the demo model. */
const OLD_DEMO_PATH = /\/models\/demo\/?$/;

export interface SettingsStoreOptions {
  folder: string;
  cipher: Cipher;
  /** The folder of the demo model in this copy of the app. */
  demoModel: string;
}

/**
 * Stores the user's settings, recent models and secrets in `settings.json`. An unreadable file is
 * moved away, an invalid setting gets its default, and `notices` reports both. A secret that the keychain
 * refuses to decrypt stays stored until it is replaced or removed, and is listed in `lockedSecrets`.
 */
export class SettingsStore {
  readonly notices: readonly string[];
  readonly #conf: Conf<Stored>;
  readonly #options: SettingsStoreOptions;
  #state: State;
  #lastWrite: Promise<void> = Promise.resolve();

  private constructor(
    conf: Conf<Stored>,
    options: SettingsStoreOptions,
    state: State,
    notices: string[],
  ) {
    this.#conf = conf;
    this.#options = options;
    this.#state = state;
    this.notices = notices;
  }

  static async open(options: SettingsStoreOptions): Promise<SettingsStore> {
    const notices: string[] = [];
    const conf = openConf(options.folder, notices);
    const { settings, recentModels } = conf.store;
    const known = keepValid(settings ?? {}, notices);
    const resolve = (path: string) => resolveDemoModel(path, options.demoModel);
    if (typeof known['modelPath'] === 'string') known['modelPath'] = resolve(known['modelPath']);
    const recent = z.array(z.string()).catch([]).parse(recentModels).map(resolve);
    const state: State = {
      settings: AppSettings.parse(known),
      secrets: {},
      recentModels: [...new Set(recent)],
    };
    for (const [name, storedAs] of Object.entries(SECRETS) as [SecretName, keyof Stored][]) {
      const cipherText = conf.store[storedAs];
      if (typeof cipherText === 'string') state.secrets[name] = { cipherText };
    }
    const store = new SettingsStore(conf, options, state, notices);
    await store.unlock();
    for (const name of store.lockedSecrets) {
      notices.push(`The ${toLabel(name)} could not be read from the keychain. It is still stored.`);
    }
    return store;
  }

  get settings(): AppSettings {
    return this.#state.settings;
  }

  /** Paths of the models used last, most recent first. */
  get recentModels(): readonly string[] {
    return this.#state.recentModels;
  }

  /** The access token for the Hugging Face Hub. */
  get hubToken(): string | undefined {
    return this.#state.secrets.hubToken?.text;
  }

  /** Stored secrets that the keychain refused to decrypt. The server must not run without its key. */
  get lockedSecrets(): readonly SecretName[] {
    const { secrets } = this.#state;
    return (Object.keys(SECRETS) as SecretName[]).filter(
      (name) => secrets[name] !== undefined && secrets[name].text === undefined,
    );
  }

  get isKeyLocked(): boolean {
    return this.lockedSecrets.includes('apiKey');
  }

  /** Tries again to decrypt the locked secrets. Never rejects. */
  unlock(): Promise<void> {
    this.#lastWrite = this.#lastWrite.then(async () => {
      for (const name of this.lockedSecrets) {
        const { settings, secrets } = this.#state;
        const cipherText = secrets[name]?.cipherText ?? '';
        const text = await this.#options.cipher.decrypt(cipherText).catch(() => '');
        if (text === '') continue;
        this.#state = {
          ...this.#state,
          secrets: { ...secrets, [name]: { cipherText, text } },
          settings: name === 'apiKey' ? { ...settings, apiKey: text } : settings,
        };
      }
    });
    return this.#lastWrite;
  }

  save(settings: AppSettings): Promise<void> {
    return this.update(() => settings);
  }

  /** Saves what `change` returns. It is called with the settings after all earlier changes have been saved. */
  update(change: (settings: AppSettings) => AppSettings): Promise<void> {
    return this.#write(async (state) => {
      const settings = change(state.settings);
      const { modelPath } = settings;
      const others = state.recentModels.filter((path) => path !== modelPath);
      const all = modelPath === undefined ? others : [modelPath, ...others];
      const isLocked =
        state.secrets.apiKey !== undefined && state.secrets.apiKey.text === undefined;
      const secrets =
        settings.apiKey === undefined && isLocked
          ? state.secrets
          : await this.#withSecret(state.secrets, 'apiKey', settings.apiKey);
      return { settings, secrets, recentModels: all.slice(0, MAX_RECENT_MODELS) };
    });
  }

  /** Removes an API key that cannot be decrypted. To remove any other, save settings without it. */
  forgetLockedKey(): Promise<void> {
    return this.#write(async (state) => {
      if (state.secrets.apiKey?.text !== undefined) return state;
      return { ...state, secrets: await this.#withSecret(state.secrets, 'apiKey', undefined) };
    });
  }

  saveHubToken(hubToken: string | undefined): Promise<void> {
    return this.#write(async (state) => ({
      ...state,
      secrets: await this.#withSecret(state.secrets, 'hubToken', hubToken),
    }));
  }

  /** Encrypts the secret only if it has changed. */
  async #withSecret(
    secrets: Secrets,
    name: SecretName,
    text: string | undefined,
  ): Promise<Secrets> {
    const { [name]: before, ...others } = secrets;
    if (text === undefined) return others;
    if (before?.text === text) return { ...others, [name]: before };
    const cipherText = await this.#options.cipher.encrypt(text);
    return { ...others, [name]: { cipherText, text } };
  }

  /** Applies changes one at a time, because the keychain can be slow. */
  #write(change: (state: State) => Promise<State>): Promise<void> {
    const written = this.#lastWrite.then(async () => {
      const state = await change(this.#state);
      this.#conf.store = keepUnknown(this.#conf.store, this.#toStored(state));
      this.#state = state;
    });
    this.#lastWrite = written.catch(() => {}); // the caller gets the error
    return written;
  }

  #toStored({ settings: { apiKey: _, ...settings }, secrets, recentModels }: State): Stored {
    const { demoModel } = this.#options;
    const toStoredPath = (path: string) => (path === demoModel ? DEMO_MODEL : path);
    const { modelPath } = settings;
    const encrypted = Object.entries(secrets) as [SecretName, Secret][];
    return {
      settings: {
        ...settings,
        ...(modelPath === undefined ? {} : { modelPath: toStoredPath(modelPath) }),
      },
      recentModels: recentModels.map(toStoredPath),
      ...Object.fromEntries(encrypted.map(([name, { cipherText }]) => [SECRETS[name], cipherText])),
    };
  }
}

/** Preserves fields stored by a newer version of the app, so that a downgrade loses nothing. */
function keepUnknown(before: Stored, stored: Stored): Stored {
  const known = new Set<string>(['settings', 'recentModels', ...Object.values(SECRETS)]);
  const others = Object.entries(before).filter(([name]) => !known.has(name));
  const otherSettings = Object.entries(before.settings ?? {}).filter(
    ([name]) => !Object.hasOwn(AppSettings.shape, name),
  );
  return {
    ...Object.fromEntries(others),
    ...stored,
    settings: { ...Object.fromEntries(otherSettings), ...stored.settings },
  };
}

function toLabel(name: SecretName): string {
  return name === 'apiKey' ? 'API key' : 'Hugging Face token';
}

/** Replaces the stored name or path of the demo model with its folder in this copy of the app. */
function resolveDemoModel(path: string, demoModel: string): string {
  const isMoved = OLD_DEMO_PATH.test(path) && !existsSync(path);
  return path === DEMO_MODEL || isMoved ? demoModel : path;
}

function openConf(folder: string, notices: string[]): Conf<Stored> {
  const open = () =>
    new Conf<Stored>({
      cwd: folder,
      configName: 'settings',
      configFileMode: 0o600,
      // Some editors write a byte order mark.
      deserialize: (text) => JSON.parse(text.replace(/^\ufeff/, '')),
    });
  try {
    return open();
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    // Running the app with sudo leaves a file that belongs to root in a folder that belongs to the user.
    if (!(error instanceof SyntaxError) && !['EISDIR', 'EACCES', 'EPERM'].includes(code ?? '')) {
      throw error;
    }
    const aside = join(folder, `settings-unreadable-${Date.now()}.json`);
    renameSync(join(folder, 'settings.json'), aside);
    notices.push(`The settings could not be read. They were moved to ${aside}.`);
    return open();
  }
}

/** Validates each setting separately, so that an invalid one does not reset the others. */
function keepValid(stored: Record<string, unknown>, notices: string[]): Record<string, unknown> {
  const valid = Object.entries(AppSettings.shape).flatMap(([name, schema]) => {
    if (!Object.hasOwn(stored, name)) return [];
    const { success, data } = schema.safeParse(stored[name]);
    if (!success)
      notices.push(`The setting ${name} was invalid and has been reset to its default.`);
    return success ? [[name, data]] : [];
  });
  return Object.fromEntries(valid);
}
