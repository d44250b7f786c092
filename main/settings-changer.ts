import { z } from 'zod';
import { AppSettings, type SettingProblem, type SettingsChange } from '../server/contract.ts';
import { ListenError } from '../server/http/server.ts';
import { Settings } from '../server/settings.ts';
import type { ServiceController } from './service-controller.ts';
import type { SettingsStore } from './settings-store.ts';

const StrictAppSettings = z.strictObject(AppSettings.shape);

/** Changed settings, or what is wrong with the change. */
export type ChangeResult =
  | { ok: true; settings: AppSettings }
  | { ok: false; problems: [SettingProblem, ...SettingProblem[]] };

/** Applies changes to the settings; null resets a setting to its default. */
export function changeSettings(
  settings: AppSettings,
  changes: Record<string, unknown>,
): ChangeResult {
  const merged = Object.entries({ ...settings, ...changes }).filter(([, value]) => value !== null);
  const parsed = StrictAppSettings.safeParse(Object.fromEntries(merged));
  if (parsed.success) return { ok: true, settings: parsed.data };
  const [first, ...more] = parsed.error.issues.map(toProblem);
  if (first === undefined) throw new TypeError('A zod error has no issue.');
  return { ok: false, problems: [first, ...more] };
}

/** Picks the service's settings. @throws ZodError if no model is chosen */
export function toServiceSettings(settings: AppSettings): Settings {
  return Settings.parse(settings);
}

function toProblem(issue: z.core.$ZodIssue): SettingProblem {
  const setting = issue.code === 'unrecognized_keys' ? issue.keys[0] : issue.path[0];
  return { setting: String(setting ?? ''), message: `${toMessage(issue)}.` };
}

function toMessage(issue: z.core.$ZodIssue): string {
  switch (issue.code) {
    case 'invalid_type':
      return issue.expected === 'int' ? 'Must be a whole number' : `Must be a ${issue.expected}`;
    case 'too_small':
      if (issue.origin === 'string') return 'Must have at least one character';
      return `Must be ${issue.inclusive ? 'at least' : 'more than'} ${issue.minimum}`;
    case 'too_big':
      return issue.origin === 'array'
        ? `Must have at most ${issue.maximum} entries`
        : `Must be at most ${issue.maximum}`;
    case 'unrecognized_keys':
      return 'Unknown setting';
    default:
      return `Must be ${issue.message.charAt(0).toLowerCase()}${issue.message.slice(1)}`;
  }
}

export interface SettingsChangerOptions {
  store: SettingsStore;
  controller: ServiceController;
  setOpenAtLogin: (open: boolean) => void;
  /** Called after a change has been saved. */
  onChange: () => void;
}

/** Applies the user's changes to the settings, one at a time, and saves each if it could be applied. */
export class SettingsChanger {
  readonly #options: SettingsChangerOptions;
  #previous: Promise<unknown> = Promise.resolve();

  constructor(options: SettingsChangerOptions) {
    this.#options = options;
  }

  /** Applies all changes, or none and resolves with the problems. Null resets a setting to its default. */
  change(changes: Record<string, unknown>): Promise<SettingsChange> {
    const change = () => this.#change(changes);
    const result = this.#previous.then(change, change);
    this.#previous = result;
    return result;
  }

  async #change(changes: Record<string, unknown>): Promise<SettingsChange> {
    const { store, controller, setOpenAtLogin, onChange } = this.#options;
    const changed = changeSettings(store.settings, changes);
    if (!changed.ok) return { applied: 'no', problems: changed.problems };
    const { settings } = changed;
    try {
      const applied =
        settings.modelPath === undefined
          ? 'now'
          : await controller.apply(toServiceSettings(settings));
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
