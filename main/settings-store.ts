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

/** What lies on disk: the settings but for the key, which is there encrypted only. */
interface Stored {
  settings?: Record<string, unknown>;
  apiKeySecret?: string;
  recentModels?: string[];
}

const RECENT_MODELS = 5;

/**
 * The person's settings and last models, in `settings.json` of a folder. What cannot be read is set
 * aside or left at its default, and `notices` says so.
 */
export class SettingsStore {
  readonly notices: readonly string[];
  readonly #conf: Conf<Stored>;
  readonly #cipher: Cipher;
  #settings: AppSettings;

  private constructor(
    conf: Conf<Stored>,
    cipher: Cipher,
    settings: AppSettings,
    notices: string[],
  ) {
    this.#conf = conf;
    this.#cipher = cipher;
    this.#settings = settings;
    this.notices = notices;
  }

  static async open(folder: string, cipher: Cipher): Promise<SettingsStore> {
    const notices: string[] = [];
    const conf = openConf(folder, notices);
    const { apiKeySecret, settings = {} } = conf.store;
    const known = keepValid(settings, notices);
    if (apiKeySecret !== undefined) {
      const apiKey = await cipher.decrypt(apiKeySecret).catch(() => undefined);
      if (apiKey === undefined) notices.push('The API key could not be read from the keychain.');
      else known['apiKey'] = apiKey;
    }
    return new SettingsStore(conf, cipher, AppSettings.parse(known), notices);
  }

  get settings(): AppSettings {
    return this.#settings;
  }

  /** The models chosen lately, the latest first. */
  get recentModels(): readonly string[] {
    return z.array(z.string()).catch([]).parse(this.#conf.store.recentModels);
  }

  async save(settings: AppSettings): Promise<void> {
    const { apiKey, ...open } = settings;
    const { modelPath } = settings;
    const others = this.recentModels.filter((path) => path !== modelPath);
    const recentModels = modelPath === undefined ? others : [modelPath, ...others];
    this.#conf.store = {
      settings: open,
      recentModels: recentModels.slice(0, RECENT_MODELS),
      ...(apiKey === undefined ? {} : { apiKeySecret: await this.#cipher.encrypt(apiKey) }),
    };
    this.#settings = settings;
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
