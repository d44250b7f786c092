import { Command } from 'commander';
import type { Logger } from 'pino';
import { diagnose, toText } from '../doctor/doctor.ts';
import type { Settings } from '../settings.ts';
import { sightglassVersion } from '../version.ts';
import { addFlags, type FlagDefaults, readFlags } from './flags.ts';
import { toPlain } from './model-text.ts';

const FLAGS = ['modelPath', 'host', 'port', 'maxConcurrency'] as const;

/** `sightglass doctor`: prints the checks. The exit code is 1 if one failed. */
export function createDoctorProgram(
  resources: URL,
  defaults: FlagDefaults & Pick<Settings, 'modelPath'>,
  log: Logger,
): Command {
  const doctor = new Command('sightglass doctor')
    .description(
      'Checks whether this machine can serve a model, and says how to fix what is wrong.',
    )
    .exitOverride()
    .configureOutput({ writeErr: () => {} })
    .allowExcessArguments(false)
    .option('--json', 'print JSON, described by docs/doctor.schema.json', false);
  addFlags(doctor, FLAGS, defaults);
  return doctor.action(async ({ json }: { json: boolean }) => {
    const settings = readFlags(doctor, FLAGS, defaults);
    const report = await diagnose({ version: sightglassVersion(), resources, settings, log });
    const lines = toText(report).split('\n').map(toPlain).join('\n');
    process.stdout.write(json ? `${JSON.stringify(report, null, 2)}\n` : lines);
    if (!report.healthy) process.exitCode = 1;
  });
}
