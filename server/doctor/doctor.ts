import { realpathSync } from 'node:fs';
import type { Logger } from 'pino';
import { z } from 'zod';
import type { Settings } from '../settings.ts';
import { checkFuses, checkSignature, packagedApp } from './app-checks.ts';
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
import { checkLastCrash, checkOtherServers, checkPort } from './service-checks.ts';

/** What `sightglass doctor --json` prints; docs/doctor.schema.json is made from it. */
export const DoctorReport = z.object({
  /** Of Sightglass. */
  version: z.string(),
  at: z.iso.datetime(),
  /** Whether no check failed. */
  healthy: z.boolean(),
  checks: z.array(Check),
});
export type DoctorReport = z.infer<typeof DoctorReport>;

/** The JSON Schema of a report, as `docs/doctor.schema.json` has it. */
export function doctorSchema(): string {
  return `${JSON.stringify(z.toJSONSchema(DoctorReport), null, 2)}\n`;
}

export interface DoctorOptions {
  version: string;
  /** Where the runtime and the models lie. */
  resources: URL;
  settings: Pick<Settings, 'host' | 'port' | 'maxConcurrency'> & { modelPath: string | undefined };
  machine?: Machine;
  log: Logger;
  /** Keys and tokens that the report must not contain, beside those of the environment. */
  secrets?: readonly (string | undefined)[];
}

/**
 * Checks everything that a working service needs, each check for itself. Never rejects: a check that
 * cannot be made has failed. The report holds no secret and no home folder, so that it can be shared.
 */
export async function diagnose(options: DoctorOptions): Promise<DoctorReport> {
  const { version, resources, settings, machine = thisMachine, log } = options;
  const probing = probeRuntime(resources, log);
  const pinned = pinnedVersions(resources, machine);
  const app = packagedApp(resources);
  const checks: readonly [name: string, title: string, check: () => Promise<Finding>][] = [
    ['chip', 'Chip', () => checkChip(machine)],
    ['macos', 'macOS', () => checkMacOs(machine)],
    ['memory', 'Memory', async () => checkMemory(machine, await workingSet(probing))],
    ['rosetta', 'Rosetta', () => checkRosetta(machine)],
    ['node', 'Node', () => checkNode(machine)],
    ['python', 'Python', async () => checkPython(await probing)],
    ['mlx', 'MLX', async () => checkMlx(await probing, (await pinned).get('mlx'))],
    ['gpu', 'GPU', async () => checkMetal(await probing, machine)],
    ['mlx_vlm', 'mlx_vlm', async () => checkMlxVlm(await probing, (await pinned).get('mlx-vlm'))],
    ['model', 'Model', async () => checkModel(settings, await probing, resources, log)],
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

/** A line for each check; a failure is followed by its remedy. */
export function toText({ version, checks }: DoctorReport): string {
  const lines = checks.map(({ status, title, found, remedy }) => {
    const line = `${MARKS[status]} ${title}: ${found}`;
    return remedy === undefined ? line : `${line.replace(/\.$/, '')}. ${remedy}`;
  });
  return `Sightglass ${version}\n${lines.join('\n')}\n`;
}

async function workingSet(probing: ReturnType<typeof probeRuntime>): Promise<number> {
  return (await probing).mlx?.working_set_bytes ?? 0;
}

function toFinding(error: Error): Finding {
  return failed(`could not be checked: ${error.message}`, 'Report this, with this whole text.');
}

const SECRET_VARIABLES = ['SIGHTGLASS_API_KEY', 'HF_TOKEN', 'HUGGING_FACE_HUB_TOKEN'];
/** A shorter one is no secret, and would blot out ordinary words. */
const SHORTEST_SECRET = 4;
const TOKEN = /\b(?:hf|sk|ghp|api_org)[_-]\w{8,}/g;
const CREDENTIALS = /(\w:\/\/)[^/@\s]+@/g;

function redact(check: Check, { machine = thisMachine, secrets = [] }: DoctorOptions): Check {
  const { env } = machine;
  const known = [...secrets, ...SECRET_VARIABLES.map((name) => env[name])];
  const hidden = known.filter((secret) => (secret?.length ?? 0) >= SHORTEST_SECRET);
  const homes = [machine.home, realHome(machine.home)].filter((home) => home.length > 1);
  const clean = (text: string) => {
    let shown = text;
    for (const secret of hidden) shown = shown.replaceAll(secret ?? '', '[secret]');
    for (const home of homes) shown = shown.replaceAll(toPathPattern(home), '~');
    return shown.replace(TOKEN, '[secret]').replace(CREDENTIALS, '$1');
  };
  const { remedy } = check;
  return {
    ...check,
    found: clean(check.found),
    ...(remedy === undefined ? {} : { remedy: clean(remedy) }),
  };
}

/** The folder and what is in it, but not a folder whose name only begins like it. */
function toPathPattern(folder: string): RegExp {
  return new RegExp(`${folder.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')}(?![\\w.-])`, 'g');
}

function realHome(home: string): string {
  try {
    return realpathSync(home);
  } catch {
    return home;
  }
}
