import { realpathSync } from 'node:fs';
import type { Logger } from 'pino';
import { z } from 'zod';
import type { Settings } from '../settings.ts';
import { Check, type Finding, failed } from './check.ts';
import {
  checkChip,
  checkDisk,
  checkMacOs,
  checkMemory,
  checkNode,
  checkRosetta,
} from './host-checks.ts';
import { type Machine, thisMachine } from './machine.ts';
import {
  checkMetal,
  checkMlx,
  checkMlxVlm,
  checkModel,
  checkPython,
  pinnedVersions,
  probeRuntime,
} from './runtime-checks.ts';
import {
  checkFuses,
  checkLastCrash,
  checkOtherServers,
  checkPort,
  checkSignature,
  packagedApp,
} from './service-checks.ts';

/** What `sightglass doctor --json` prints; docs/doctor.schema.json is generated from it. */
export const DoctorReport = z.object({
  /** The version of Sightglass. */
  version: z.string(),
  at: z.iso.datetime(),
  /** Whether no check failed. */
  healthy: z.boolean(),
  checks: z.array(Check),
});
export type DoctorReport = z.infer<typeof DoctorReport>;

/** The JSON Schema of a report, which `npm run docs` writes to `docs/doctor.schema.json`. */
export function doctorSchema(): string {
  return `${JSON.stringify(z.toJSONSchema(DoctorReport), null, 2)}\n`;
}

export interface DoctorOptions {
  version: string;
  /** Contains the runtime and the models. */
  resources: URL;
  settings: Pick<Settings, 'host' | 'port' | 'maxConcurrency'> & { modelPath?: string | undefined };
  machine?: Machine;
  log: Logger;
  /** Keys and tokens to remove from the report, besides those in the environment. */
  secrets?: readonly (string | undefined)[];
  /** How long the checks of the runtime and of the model may take each. */
  withinMs?: number | undefined;
}

/**
 * Runs every check. Never rejects: a check that throws has failed. Secrets and the home folder are
 * removed from the report, so that it can be shared.
 */
export async function diagnose(options: DoctorOptions): Promise<DoctorReport> {
  const { version, resources, settings, machine = thisMachine, log, withinMs } = options;
  const probing = probeRuntime(resources, log, withinMs);
  const pinned = pinnedVersions(resources, machine);
  const app = packagedApp(resources);
  const checks: readonly [name: string, title: string, check: () => Promise<Finding>][] = [
    ['chip', 'Chip', () => checkChip(machine)],
    ['macos', 'macOS', () => checkMacOs(machine)],
    ['memory', 'Memory', async () => checkMemory(machine, (await probing).mlx?.working_set_bytes)],
    ['rosetta', 'Rosetta', () => checkRosetta(machine)],
    ['node', 'Node', () => checkNode(machine)],
    ['python', 'Python', async () => checkPython(await probing)],
    ['mlx', 'MLX', async () => checkMlx(await probing, (await pinned).get('mlx'))],
    ['gpu', 'GPU', async () => checkMetal(await probing, machine)],
    ['mlx_vlm', 'mlx_vlm', async () => checkMlxVlm(await probing, (await pinned).get('mlx-vlm'))],
    ['model', 'Model', async () => checkModel(settings, await probing, resources, log, withinMs)],
    ['disk', 'Disk', () => checkDisk(machine)],
    ['port', 'Port', () => checkPort(settings, machine)],
    ['other_servers', 'Other servers', () => checkOtherServers(settings.port, machine)],
    ['signature', 'Signature', () => checkSignature(app, machine)],
    ['fuses', 'Fuses', () => checkFuses(app)],
    ['last_crash', 'Last crash', () => checkLastCrash(machine)],
  ];
  const results = await Promise.all(
    checks.map(async ([name, title, check]) => ({
      name,
      title,
      ...(await check().catch(toFinding)),
    })),
  );
  const report: DoctorReport = {
    version,
    at: new Date().toISOString(),
    healthy: results.every(({ status }) => status !== 'failed'),
    checks: results.map((each) => redact(each, options)),
  };
  return DoctorReport.parse(report);
}

const MARKS: Readonly<Record<Check['status'], string>> = { ok: '✓', failed: '✗', skipped: '–' };

/** Formats a report, one line per check. The line of a failed check ends with its remedy. */
export function toText({ version, checks }: DoctorReport): string {
  const lines = checks.map(({ status, title, found, remedy }) => {
    const line = `${MARKS[status]} ${title}: ${found}`;
    return remedy === undefined ? line : `${line.replace(/\.$/, '')}. ${remedy}`;
  });
  return `Sightglass ${version}\n${lines.join('\n')}\n`;
}

function toFinding(error: Error): Finding {
  return failed(
    `could not be checked: ${error.message}`,
    'Please report this with the whole output.',
  );
}

const SECRET_VARIABLES = ['SIGHTGLASS_API_KEY', 'HF_TOKEN', 'HUGGING_FACE_HUB_TOKEN'];
/** Shorter values are not secrets, and removing them would garble ordinary words. */
const SHORTEST_SECRET = 4;
/** Keys of Hugging Face, OpenAI, Anthropic, GitHub and GitLab, but not names like `hf-internal-testing`. */
const TOKEN = /\b(?:hf_|api_org_|sk[-_]|gh[pousr]_|github_pat_|glpat-)[\w-]{8,}/g;
const BEARER = /\b(Bearer) +[\w.~+/=-]{8,}/gi;
/** Credentials in a URL. Python's Path turns two slashes into one; a password may contain an @. */
const CREDENTIALS = /(\w:\/{1,2})[^/\s]*@/g;
const QUERY_SECRET =
  /([?&#][\w.-]*(?:token|key|secret|passw|credential|signature|\bsig|auth)[\w.-]*=)[^&#\s]+/gi;
/** Other home folders, whose paths contain user names. */
const ANY_HOME = /(\/(?:Users|home)\/)(?!Shared\b)[^/\s'"`,;:)]+/g;
/** Longer findings are truncated. */
const LONGEST_TEXT = 1000;

function redact(check: Check, { machine = thisMachine, secrets = [] }: DoctorOptions): Check {
  const { env } = machine;
  const hidden = [...secrets, ...SECRET_VARIABLES.map((name) => env[name])]
    .filter((value) => value !== undefined)
    .filter(({ length }) => length >= SHORTEST_SECRET)
    .sort((a, b) => b.length - a.length); // longest first: one may contain another
  const homes = spellingsOf(machine.home).map(toPathPattern);
  const clean = (text: string) => {
    let shown = text;
    for (const secret of hidden) shown = shown.replaceAll(secret, '[secret]');
    for (const home of homes) shown = shown.replaceAll(home, '~');
    shown = shown
      .replace(TOKEN, '[secret]')
      .replace(BEARER, '$1 [secret]')
      .replace(CREDENTIALS, '$1')
      .replace(QUERY_SECRET, '$1[secret]')
      .replace(ANY_HOME, '$1[user]')
      .replace(/\s+/g, ' ')
      .trim();
    return shown.length > LONGEST_TEXT ? `${shown.slice(0, LONGEST_TEXT)}…` : shown;
  };
  const { remedy } = check;
  return {
    ...check,
    found: clean(check.found),
    ...(remedy === undefined ? {} : { remedy: clean(remedy) }),
  };
}

/** Matches the folder and paths inside it, but not a sibling whose name starts with the folder's. */
function toPathPattern(folder: string): RegExp {
  // Paths on macOS are case-insensitive.
  return new RegExp(`${folder.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')}(?![\\w.-])`, 'gi');
}

/** The ways a text may spell the home folder. macOS decomposes accents in some paths but not in others. */
function spellingsOf(home: string): string[] {
  const folders = [home, realHome(home)].map((folder) => folder.replace(/\/+$/, ''));
  const forms = folders.flatMap((folder) => [
    folder,
    folder.normalize('NFC'),
    folder.normalize('NFD'),
  ]);
  const spellings = forms.flatMap((folder) => [folder, encodeURI(folder)]);
  return [...new Set(spellings)].filter((folder) => folder.length > 1);
}

function realHome(home: string): string {
  try {
    return realpathSync(home);
  } catch {
    return home;
  }
}
