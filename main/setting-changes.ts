import { z } from 'zod';
import { AppSettings, type SettingProblem } from '../server/contract.ts';
import { Settings } from '../server/settings.ts';

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
