import { join } from 'node:path';
import { FuseState, FuseV1Options, getCurrentFuseWire } from '@electron/fuses';
import { z } from 'zod';
import { addressesOf, reachableUrl } from '../http/server.ts';
import { logDirectory } from '../log.ts';
import { type Finding, failed, ok, parseJson, skipped } from './check.ts';
import type { Machine } from './machine.ts';

/** Where other model servers listen by default. */
const OTHER_SERVERS: readonly (readonly [number, string])[] = [
  [11_434, 'Ollama'],
  [1234, 'LM Studio'],
  [8080, 'mlx_vlm.server, llama.cpp or LocalAI'],
  [8000, 'vLLM, omlx or Rapid-MLX'],
  [1337, 'Jan'],
  [5001, 'KoboldCpp'],
  [10_240, 'mlx-omni-server'],
];
const KEPT_LOG_FILES = 4;
/** Crash reports of macOS that are older than this are ignored. */
const RECENT_REPORT_DAYS = 7;

/** The fields of every `GET /health` response. */
const Health = z.object({ status: z.string(), state: z.string(), model: z.string() });

/** Checks that the port is free on every address that clients may use. */
export async function checkPort(
  { host, port }: { host: string; port: number },
  machine: Machine,
): Promise<Finding> {
  const addresses = addressesOf(host);
  const taken: string[] = [];
  let own: string | undefined;
  for (const address of port === 0 ? [] : addresses) {
    if (!(await machine.acceptsConnections(address, port))) continue;
    const url = `${reachableUrl(address, port)}/health`;
    const health = Health.safeParse(await machine.getJson(url));
    if (health.success) own = health.data.state;
    else taken.push(address);
  }
  if (taken.length > 0) {
    return failed(
      `${port} is in use by another program on ${taken.join(' and ')}`,
      `Quit it, or choose another port (--port, or Settings). \`lsof -i :${port}\` shows which program it is.`,
    );
  }
  if (own !== undefined) return ok(`${port}: Sightglass serves there (${own})`);
  const problem = await machine.listenProblem(host, port);
  if (problem !== undefined) return toListenFailure(problem, { host, port });
  return ok(
    port === 0 ? '0: a free port is picked' : `${port} is free on ${addresses.join(' and ')}`,
  );
}

/** The service cannot listen on the port, although it accepts no connections. */
function toListenFailure(
  { code, message }: NodeJS.ErrnoException,
  { host, port }: { host: string; port: number },
): Finding {
  switch (code) {
    case 'EADDRINUSE':
      return failed(
        `${port} is in use by a program that does not respond`,
        `Quit it, or choose another port (--port, or Settings). \`lsof -i :${port}\` shows which program it is.`,
      );
    case 'EACCES':
      return failed(
        `${port} can only be used by an administrator`,
        'Choose a port above 1023 (--port, or Settings).',
      );
    case 'EADDRNOTAVAIL':
    case 'EAFNOSUPPORT':
    case 'ENOTFOUND':
      return failed(
        `${host} is not an address of this machine`,
        'Listen on 127.0.0.1, or on 0.0.0.0 for other devices too (--host, or Settings).',
      );
    default:
      return failed(
        `cannot listen on ${host}, port ${port}: ${message}`,
        'Choose another address or port (--host and --port, or Settings).',
      );
  }
}

/** Lists other model servers. They are not a failure, but the models they have loaded use memory. */
export async function checkOtherServers(port: number, machine: Machine): Promise<Finding> {
  const others = OTHER_SERVERS.filter(([theirs]) => theirs !== port);
  const running = await Promise.all(
    others.map(async ([theirs, name]) =>
      (await machine.acceptsConnections('127.0.0.1', theirs)) ? [`${theirs} (${name})`] : [],
    ),
  );
  const found = running.flat();
  if (found.length === 0) return ok('none on the usual ports');
  return ok(`on ${found.join(', ')}; a model loaded there leaves less memory for this one`);
}

/** A log line about the runtime, with the fields that the doctor reads. */
const LogLine = z.object({
  time: z.number().min(0).max(8.64e15), // the range of Date
  msg: z.string(),
  reason: z.string().optional(),
  message: z.string().optional(),
  remedy: z.string().optional(),
});
type LogLine = z.infer<typeof LogLine>;

/**
 * Reports why the runtime last crashed or failed, from the log files, and the newest crash report of
 * macOS. A crash only counts as a failure if the runtime has not been ready since.
 */
export async function checkLastCrash(machine: Machine, now = Date.now()): Promise<Finding> {
  const lines = await readRuntimeLines(machine);
  const last = lines.findLast(({ msg }) => msg === 'runtime crashed' || msg === 'runtime failed');
  const report = await newestCrashReport(machine, now);
  const reported = report === undefined ? '' : `; macOS reported ${report}`;
  if (last === undefined) return ok(`none in the log${reported}`);
  const what = last.message ?? `the runtime crashed: ${last.reason ?? 'no reason given'}`;
  const found = `${new Date(last.time).toISOString()} ${what}${reported}`;
  const hasRecovered = lines
    .slice(lines.lastIndexOf(last))
    .some(({ msg }) => msg === 'runtime ready');
  if (hasRecovered) return ok(`${found}; it has recovered since`);
  const remedy = last.remedy ?? 'Read the log around that time, then start the server again.';
  return failed(found, remedy);
}

/** In the order in which they were written, because the clock may have been changed. */
async function readRuntimeLines(machine: Machine): Promise<LogLine[]> {
  const folder = logDirectory(machine);
  const names = await machine.listFiles(folder).catch(() => []);
  const files = names.filter((name) => /^sightglass\.\d+\.log$/.test(name));
  const texts = await Promise.all(
    files
      .sort((a, b) => numberOf(a) - numberOf(b))
      .slice(-KEPT_LOG_FILES)
      .map((name) => machine.readFile(join(folder, name)).catch(() => '')),
  );
  return texts
    .flatMap((text) => text.split('\n'))
    .filter((line) => line.includes('"msg":"runtime '))
    .flatMap((line) => {
      const parsed = LogLine.safeParse(parseJson(line));
      return parsed.success ? [parsed.data] : [];
    });
}

function numberOf(logFile: string): number {
  return Number(logFile.split('.')[1]);
}

/** The first line of a report in `~/Library/Logs/DiagnosticReports`. */
const ReportHeader = z.object({ app_name: z.string(), timestamp: z.string() });

async function newestCrashReport(machine: Machine, now: number): Promise<string | undefined> {
  if (machine.platform !== 'darwin') return undefined;
  const folder = join(machine.home, 'Library', 'Logs', 'DiagnosticReports');
  const names = await machine.listFiles(folder).catch(() => []);
  const ours = names.filter((name) => /^(Sightglass|python3?)[^/]*\.ips$/i.test(name));
  const reports = await Promise.all(
    ours.map(async (name) => {
      const text = await machine.readFile(join(folder, name)).catch(() => '');
      const header = ReportHeader.safeParse(parseJson(text.slice(0, text.indexOf('\n'))));
      const at = header.success ? Date.parse(toIsoTime(header.data.timestamp)) : Number.NaN;
      return { name, at };
    }),
  );
  const oldest = now - RECENT_REPORT_DAYS * 24 * 3600 * 1000;
  const recent = reports.filter(({ at }) => at > oldest).sort((a, b) => b.at - a.at);
  return recent[0]?.name;
}

/** Converts a timestamp of macOS, such as `2026-11-27 05:16:40.00 +0000`. */
function toIsoTime(timestamp: string): string {
  return timestamp.replace(' ', 'T').replace(/ ([+-]\d\d)(\d\d)$/, '$1:$2');
}

/** The fuses that prevent other programs from running code as Sightglass, set in electron-builder.yml. */
const FUSES: readonly (readonly [FuseV1Options, boolean])[] = [
  [FuseV1Options.RunAsNode, false],
  [FuseV1Options.EnableNodeOptionsEnvironmentVariable, false],
  [FuseV1Options.EnableNodeCliInspectArguments, false],
  [FuseV1Options.EnableEmbeddedAsarIntegrityValidation, true],
  [FuseV1Options.OnlyLoadAppFromAsar, true],
  [FuseV1Options.GrantFileProtocolExtraPrivileges, false],
];

const FROM_SOURCE = 'runs from source, not from the packaged app';
const DOWNLOAD_AGAIN = 'Delete the app and install it again from the dmg.';

/** The `.app` bundle that contains these resources; undefined when run from source. */
export function packagedApp(resources: URL): string | undefined {
  return /^(.*\.app)\/Contents\/Resources\/$/.exec(decodeURIComponent(resources.pathname))?.[1];
}

/** Checks that macOS accepts the app's signature. */
export async function checkSignature(app: string | undefined, machine: Machine): Promise<Finding> {
  if (app === undefined) return skipped(FROM_SOURCE);
  if (machine.platform !== 'darwin') return skipped('not a Mac');
  if (app.includes('/AppTranslocation/')) {
    return failed(
      'macOS runs the app from a temporary read-only copy',
      'Quit it, move it to Applications in Finder, and open it from there.',
    );
  }
  const verified = await machine.run('/usr/bin/codesign', ['--verify', '--deep', '--strict', app]);
  if (verified.exitCode !== 0) return failed(firstLine(verified.output), DOWNLOAD_AGAIN);
  const { output } = await machine.run('/usr/bin/codesign', ['-d', '--verbose=2', app]);
  const authority = /^Authority=(.+)$/m.exec(output)?.[1];
  if (authority === undefined) return ok('valid, ad hoc: updates cannot be installed');
  const assessed = await machine.run('/usr/sbin/spctl', ['--assess', '--type', 'execute', app]);
  if (assessed.exitCode === 0) return ok(`valid: ${authority}`);
  return failed(
    `${authority}, but Gatekeeper rejects it: ${firstLine(assessed.output)}`,
    DOWNLOAD_AGAIN,
  );
}

/** Checks that Electron's fuses are set as in the build. */

export async function checkFuses(app: string | undefined): Promise<Finding> {
  if (app === undefined) return skipped(FROM_SOURCE);
  const wire = await getCurrentFuseWire(app);
  const wrong = FUSES.filter(
    ([fuse, isOn]) => wire[fuse] !== (isOn ? FuseState.ENABLE : FuseState.DISABLE),
  );
  if (wrong.length === 0) return ok(`all ${FUSES.length} as built`);
  const names = wrong.map(([fuse]) => FuseV1Options[fuse]);
  return failed(`changed: ${names.join(', ')}`, DOWNLOAD_AGAIN);
}

function firstLine(output: string): string {
  return output.split('\n').find((line) => line.trim() !== '') ?? 'no reason given';
}
