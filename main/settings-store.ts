import { existsSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import Conf from 'conf';
import { z } from 'zod';
import { AppSettings } from '../server/contract.ts';

/** What keeps a secret for us: the keychain, through Electron's safeStorage. */
export interface Cipher {
  encrypt(text: string): Promise<string>;
  decrypt(secret: string): Promise<string>;
}

/** A secret that is stored encrypted, by the name it has in `settings.json`. */
const SECRETS = { apiKey: 'apiKeySecret', hubToken: 'hubTokenSecret' } as const;
type SecretName = keyof typeof SECRETS;

/** A secret's ciphertext, and its text unless the keychain refused to decrypt it. */
interface Secret {
  cipherText: string;
  text?: string;
}
type Secrets = Partial<Record<SecretName, Secret>>;

/** What `settings.json` holds: the settings, and the secrets encrypted. */
interface Stored {
  settings?: Record<string, unknown> | null;
  apiKeySecret?: string;
  hubTokenSecret?: string;
  recentModels?: string[];
}

/** What is stored, as it is in memory. */
interface Kept {
  settings: AppSettings;
  secrets: Secrets;
  recentModels: readonly string[];
}

const RECENT_MODELS = 5;
/** How the demo model is stored, because its path changes when the app is moved. */
const DEMO_MODEL = 'demo';
/** The absolute path that earlier versions stored for the demo model. */
const OLD_DEMO_PATH = /\/models\/demo\/?$/;

export interface SettingsStoreOptions {
  folder: string;
  cipher: Cipher;
  /** The folder of the demo model in this copy of the app. */
  demoModel: string;
}

/**
 * The person's settings, recent models and secrets, in `settings.json` of a folder. What cannot be
 * read is set aside or replaced by its default, and `notices` says so. A secret that the keychain
 * refuses to decrypt is kept until it is replaced or removed, and is listed in `lockedSecrets`.
 */
export class SettingsStore {
  readonly notices: readonly string[];
  readonly #conf: Conf<Stored>;
  readonly #options: SettingsStoreOptions;
  #kept: Kept;
  #last: Promise<void> = Promise.resolve();

  private constructor(
    conf: Conf<Stored>,
    options: SettingsStoreOptions,
    kept: Kept,
    notices: string[],
  ) {
    this.#conf = conf;
    this.#options = options;
    this.#kept = kept;
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
    const kept: Kept = {
      settings: AppSettings.parse(known),
      secrets: {},
      recentModels: [...new Set(recent)],
    };
    for (const [name, storedAs] of Object.entries(SECRETS) as [SecretName, keyof Stored][]) {
      const cipherText = conf.store[storedAs];
      if (typeof cipherText === 'string') kept.secrets[name] = { cipherText };
    }
    const store = new SettingsStore(conf, options, kept, notices);
    await store.unlock();
    for (const name of store.lockedSecrets) {
      notices.push(`The ${toWords(name)} could not be read from the keychain. It is still stored.`);
    }
    return store;
  }

  get settings(): AppSettings {
    return this.#kept.settings;
  }

  /** The models chosen lately, the latest first. */
  get recentModels(): readonly string[] {
    return this.#kept.recentModels;
  }

  /** For the Hugging Face Hub. */
  get hubToken(): string | undefined {
    return this.#kept.secrets.hubToken?.text;
  }

  /** Stored secrets that the keychain refused to decrypt. The server must not run without its key. */
  get lockedSecrets(): readonly SecretName[] {
    const { secrets } = this.#kept;
    return (Object.keys(SECRETS) as SecretName[]).filter(
      (name) => secrets[name] !== undefined && secrets[name].text === undefined,
    );
  }

  get isKeyLocked(): boolean {
    return this.lockedSecrets.includes('apiKey');
  }

  /** Asks the keychain again for the locked secrets. Never rejects. */
  unlock(): Promise<void> {
    this.#last = this.#last.then(async () => {
      for (const name of this.lockedSecrets) {
        const { settings, secrets } = this.#kept;
        const cipherText = secrets[name]?.cipherText ?? '';
        const text = await this.#options.cipher.decrypt(cipherText).catch(() => '');
        if (text === '') continue;
        this.#kept = {
          ...this.#kept,
          secrets: { ...secrets, [name]: { cipherText, text } },
          settings: name === 'apiKey' ? { ...settings, apiKey: text } : settings,
        };
      }
    });
    return this.#last;
  }

  save(settings: AppSettings): Promise<void> {
    return this.update(() => settings);
  }

  /** `change` gets the settings once every earlier change has been written. */
  update(change: (settings: AppSettings) => AppSettings): Promise<void> {
    return this.#keep(async (kept) => {
      const settings = change(kept.settings);
      const { modelPath } = settings;
      const others = kept.recentModels.filter((path) => path !== modelPath);
      const all = modelPath === undefined ? others : [modelPath, ...others];
      const isLocked = kept.secrets.apiKey !== undefined && kept.secrets.apiKey.text === undefined;
      const secrets =
        settings.apiKey === undefined && isLocked
          ? kept.secrets
          : await this.#withSecret(kept.secrets, 'apiKey', settings.apiKey);
      return { settings, secrets, recentModels: all.slice(0, RECENT_MODELS) };
    });
  }

  /** Removes a key that cannot be decrypted. Any other key is removed by saving settings without it. */
  forgetLockedKey(): Promise<void> {
    return this.#keep(async (kept) => {
      if (kept.secrets.apiKey?.text !== undefined) return kept;
      return { ...kept, secrets: await this.#withSecret(kept.secrets, 'apiKey', undefined) };
    });
  }

  saveHubToken(hubToken: string | undefined): Promise<void> {
    return this.#keep(async (kept) => ({
      ...kept,
      secrets: await this.#withSecret(kept.secrets, 'hubToken', hubToken),
    }));
  }

  /** Asks the keychain only if the secret is new. */
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

  /** Makes changes one after the other, because the keychain can be slow. */
  #keep(change: (kept: Kept) => Promise<Kept>): Promise<void> {
    const written = this.#last.then(async () => {
      const kept = await change(this.#kept);
      this.#conf.store = keepUnknown(this.#conf.store, this.#toStored(kept));
      this.#kept = kept;
    });
    this.#last = written.catch(() => {}); // the caller gets the error
    return written;
  }

  #toStored({ settings: { apiKey: _, ...settings }, secrets, recentModels }: Kept): Stored {
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

/** Keeps what a newer version of the app stored, so that a downgrade loses nothing. */
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

function toWords(name: SecretName): string {
  return name === 'apiKey' ? 'API key' : 'Hugging Face token';
}

/** Replaces the demo model's stored path by its folder in this copy of the app. */
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
    // A file written under sudo may be another user's, in a folder that is still the person's own.
    if (!(error instanceof SyntaxError) && !['EISDIR', 'EACCES', 'EPERM'].includes(code ?? '')) {
      throw error;
    }
    const aside = join(folder, `settings-unreadable-${Date.now()}.json`);
    renameSync(join(folder, 'settings.json'), aside);
    notices.push(`The settings could not be read. They are set aside as ${aside}.`);
    return open();
  }
}

/** Checks each setting by itself, so that an invalid one does not reset the others. */
function keepValid(stored: Record<string, unknown>, notices: string[]): Record<string, unknown> {
  const valid = Object.entries(AppSettings.shape).flatMap(([name, schema]) => {
    if (!Object.hasOwn(stored, name)) return [];
    const { success, data } = schema.safeParse(stored[name]);
    if (!success) notices.push(`The setting ${name} was not valid and has its default now.`);
    return success ? [[name, data]] : [];
  });
  return Object.fromEntries(valid);
}
