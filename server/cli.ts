#!/usr/bin/env node
import { fileURLToPath } from 'node:url';
import type { Logger } from 'pino';
import { banner, exposureWarning } from './cli/banner.ts';
import { prepareModel } from './cli/fetch-model.ts';
import { parseFlags } from './cli/flags.ts';
import { drainOnSignals, goOnUnread, reportFailure } from './cli/interruption.ts';
import { createModelsProgram } from './cli/models-command.ts';
import { createCommandLog, createLog } from './log.ts';
import { toModelName } from './models/names.ts';
import { ModelsProgram } from './models/program.ts';
import { RuntimeFailedError } from './runtime/errors.ts';
import { createModelsCommand, createRuntimeCommand } from './runtime/process.ts';
import { Service } from './service.ts';

const resources = new URL('../resources/', import.meta.url);
/** The command line's own defaults: the demo model, served to the network. */
const DEFAULTS = {
  modelPath: fileURLToPath(new URL('models/demo', resources)),
  host: '0.0.0.0',
};

/** Runs a subcommand, or serves a model. Returns the exit code. */
async function main(args: readonly string[]): Promise<number> {
  const [first, ...rest] = args;
  if (first !== 'models' && first !== 'doctor') return serve(args);
  const log = createCommandLog();
  const program =
    first === 'models' ? createModelsProgram(resources, log) : await createDoctor(log);
  await program.parseAsync(rest, { from: 'user' });
  return Number(process.exitCode ?? 0);
}

/** Loaded on demand: serving does not need it. */
async function createDoctor(log: Logger) {
  const { createDoctorProgram } = await import('./cli/doctor-command.ts');
  return createDoctorProgram(resources, DEFAULTS, log);
}

/** The headless host of the service: `sightglass --model-path … --port …`. */
async function serve(args: readonly string[]): Promise<number> {
  const given = parseFlags(args, process.env, DEFAULTS);
  const settings = { ...given, modelPath: toModelName(given.modelPath) };
  const { log, file, flush } = createLog(settings);
  await prepareModel(settings, new ModelsProgram(createModelsCommand(resources), log), log);
  const service = new Service({ settings, command: createRuntimeCommand(resources), log });
  const ended = Promise.race([drainOnSignals(service, log), failureOf(service)]);
  const port = await service.start();
  const warning = exposureWarning(settings);
  if (warning !== undefined) log.warn(warning);
  service.runtime.ensureReady(new AbortController().signal).then(
    () => process.stdout.write(`${banner(settings, port, file)}\n`),
    () => {}, // stopped or failed: `ended` knows
  );
  await ended.finally(flush);
  return 0;
}

/** Rejects once the runtime has failed for good: a process manager may then do what it does. */
function failureOf(service: Service): Promise<never> {
  return new Promise((_resolve, reject) => {
    service.runtime.onChange((state) => {
      if (state.phase !== 'failed') return;
      const error = new RuntimeFailedError(state.failure);
      service.stop().then(() => reject(error), reject);
    });
  });
}

process.stdout.on('error', goOnUnread);
process.stderr.on('error', () => {}); // there is nowhere to tell it
const exitCode = await main(process.argv.slice(2)).catch(reportFailure);
process.exitCode ||= exitCode;
// An unread pipe would otherwise keep the process alive until somebody reads it.
if (process.stderr.writableLength > 0 && process.stdout.writableLength === 0) process.exit();
