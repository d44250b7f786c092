import { z } from 'zod';
import { AppSettings, type SettingProblem, type SettingsChange } from '../server/contract.ts';
import { ListenError } from '../server/http/server.ts';
import { Settings } from '../server/settings.ts';
import type { ServiceSwitch } from './service-switch.ts';
import type { SettingsStore } from './settings-store.ts';

const Strict = z.strictObject(AppSettings.shape);

export type Changed =
  | { ok: true; settings: AppSettings }
  | { ok: false; problems: [SettingProblem, ...SettingProblem[]] };

/** The settings with changes made to them; null takes one back to its default. */
export function changeSettings(settings: AppSettings, changes: Record<string, unknown>): Changed {
  const merged = Object.entries({ ...settings, ...changes }).filter(([, value]) => value !== null);
  const parsed = Strict.safeParse(Object.fromEntries(merged));
  if (parsed.success) return { ok: true, settings: parsed.data };
  const [first, ...more] = parsed.error.issues.map(toProblem);
  if (first === undefined) throw new TypeError('A zod error has no issue.');
  return { ok: false, problems: [first, ...more] };
}

/** What the service is started with. @throws ZodError when no model was chosen */
export function toServiceSettings(settings: AppSettings): Settings {
  return Settings.parse(settings);
}

function toProblem(issue: z.core.$ZodIssue): SettingProblem {
  const setting = issue.code === 'unrecognized_keys' ? issue.keys[0] : issue.path[0];
  return { setting: String(setting ?? ''), message: `${sentence(issue)}.` };
}

function sentence(issue: z.core.$ZodIssue): string {
  switch (issue.code) {
    case 'invalid_type':
      return issue.expected === 'int' ? 'Give a whole number' : `Give a ${issue.expected}`;
    case 'too_small':
      if (issue.origin === 'string') return 'Give at least one character';
      return `Give ${issue.inclusive ? 'at least' : 'more than'} ${issue.minimum}`;
    case 'too_big':
      return issue.origin === 'array'
        ? `Give at most ${issue.maximum} of them`
        : `Give at most ${issue.maximum}`;
    case 'unrecognized_keys':
      return 'There is no such setting';
    default:
      return `Give ${issue.message.charAt(0).toLowerCase()}${issue.message.slice(1)}`;
  }
}

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
