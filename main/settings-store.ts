import { renameSync } from 'node:fs';
import { join } from 'node:path';
import Conf from 'conf';
import { z } from 'zod';
import { AppSettings } from '../server/contract.ts';

/** What keeps a secret for us: the keychain, through Electron's safeStorage. */
export interface Cipher {
  encrypt(text: string): Promise<string>;
  decrypt(secret: string): Promise<string>;
}

/** What lies on disk: the settings but for the secrets, which are there encrypted only. */
interface Stored {
  settings?: Record<string, unknown>;
  apiKeySecret?: string;
  hubTokenSecret?: string;
  recentModels?: string[];
}

/** What is stored, as it is in memory. */
interface Kept {
  settings: AppSettings;
  hubToken: string | undefined;
  recentModels: readonly string[];
}

const RECENT_MODELS = 5;

/**
 * The person's settings, last models and Hugging Face token, in `settings.json` of a folder. What
 * cannot be read is set aside or left at its default, and `notices` says so.
 */
export class SettingsStore {
  readonly notices: readonly string[];
  readonly #conf: Conf<Stored>;
  readonly #cipher: Cipher;
  #kept: Kept;
  #last: Promise<void> = Promise.resolve();

  private constructor(conf: Conf<Stored>, cipher: Cipher, kept: Kept, notices: string[]) {
    this.#conf = conf;
    this.#cipher = cipher;
    this.#kept = kept;
    this.notices = notices;
  }

  static async open(folder: string, cipher: Cipher): Promise<SettingsStore> {
    const notices: string[] = [];
    const conf = openConf(folder, notices);
    const { apiKeySecret, hubTokenSecret, settings = {}, recentModels } = conf.store;
    const known = keepValid(settings, notices);
    const reveal = async (secret: string | undefined, what: string) => {
      if (secret === undefined) return undefined;
      return cipher.decrypt(secret).catch(() => {
        notices.push(`The ${what} could not be read from the keychain.`);
        return undefined;
      });
    };
    const apiKey = await reveal(apiKeySecret, 'API key');
    if (apiKey !== undefined) known['apiKey'] = apiKey;
    const kept = {
      settings: AppSettings.parse(known),
      hubToken: await reveal(hubTokenSecret, 'Hugging Face token'),
      recentModels: z.array(z.string()).catch([]).parse(recentModels),
    };
    return new SettingsStore(conf, cipher, kept, notices);
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
    return this.#kept.hubToken;
  }

  save(settings: AppSettings): Promise<void> {
    return this.update(() => settings);
  }

  /** `change` is given the settings as they are when all that was asked for before is kept. */
  update(change: (settings: AppSettings) => AppSettings): Promise<void> {
    return this.#keep((kept) => {
      const settings = change(kept.settings);
      const { modelPath } = settings;
      const others = kept.recentModels.filter((path) => path !== modelPath);
      const all = modelPath === undefined ? others : [modelPath, ...others];
      return { ...kept, settings, recentModels: all.slice(0, RECENT_MODELS) };
    });
  }

  saveHubToken(hubToken: string | undefined): Promise<void> {
    return this.#keep((kept) => ({ ...kept, hubToken }));
  }

  /** One change after the other: the keychain takes its time. */
  #keep(change: (kept: Kept) => Kept): Promise<void> {
    const written = this.#last.then(() => this.#write(change(this.#kept)));
    this.#last = written.catch(() => {}); // whoever asked is told
    return written;
  }

  async #write(kept: Kept): Promise<void> {
    const { settings, hubToken, recentModels } = kept;
    const { apiKey, ...open } = settings;
    const secrets = {
      ...(apiKey === undefined ? {} : { apiKeySecret: await this.#cipher.encrypt(apiKey) }),
      ...(hubToken === undefined ? {} : { hubTokenSecret: await this.#cipher.encrypt(hubToken) }),
    };
    this.#conf.store = { settings: open, recentModels: [...recentModels], ...secrets };
    this.#kept = kept;
  }
}

function openConf(folder: string, notices: string[]): Conf<Stored> {
  const open = () =>
    new Conf<Stored>({ cwd: folder, configName: 'settings', configFileMode: 0o600 });
  try {
    return open();
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    const aside = join(folder, `settings-unreadable-${Date.now()}.json`);
    renameSync(join(folder, 'settings.json'), aside);
    notices.push(`The settings could not be read. They are set aside as ${aside}.`);
    return open();
  }
}

/** Each setting for itself: one that is no longer valid takes none of the others with it. */
function keepValid(stored: Record<string, unknown>, notices: string[]): Record<string, unknown> {
  const valid = Object.entries(AppSettings.shape).flatMap(([name, schema]) => {
    if (!Object.hasOwn(stored, name)) return [];
    const { success, data } = schema.safeParse(stored[name]);
    if (!success) notices.push(`The setting ${name} was not valid and has its default now.`);
    return success ? [[name, data]] : [];
  });
  return Object.fromEntries(valid);
}
