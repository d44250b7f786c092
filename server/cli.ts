#!/usr/bin/env node
import { fileURLToPath } from 'node:url';
import type { Logger } from 'pino';
import { banner, exposureWarning } from './cli/banner.ts';
import { prepareModel } from './cli/fetch-model.ts';
import { parseFlags } from './cli/flags.ts';
import { drainOnSignals, ignoreBrokenPipe, reportFailure } from './cli/interruption.ts';
import { createModelsProgram } from './cli/models-command.ts';
import { createCommandLog, createLog } from './log.ts';
import { toModelName } from './models/names.ts';
import { ModelsProgram } from './models/program.ts';
import { RuntimeFailedError } from './runtime/errors.ts';
import { createModelsCommand, createRuntimeCommand } from './runtime/process.ts';
import { Service } from './service.ts';

const resources = new URL('../resources/', import.meta.url);
/** The defaults of the command line only: it serves the demo model to the network. */
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

/** Loaded on demand, because serving does not need it. */
async function createDoctor(log: Logger) {
  const { createDoctorProgram } = await import('./cli/doctor-command.ts');
  return createDoctorProgram(resources, DEFAULTS, log);
}

/** Serves a model without the app: `sightglass --model-path … --port …`. */
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
    () => {}, // stopped or failed, which `ended` handles
  );
  await ended.finally(flush);
  return 0;
}

/** Rejects when the runtime has failed for good, so that a process manager can restart the server. */
function failureOf(service: Service): Promise<never> {
  return new Promise((_resolve, reject) => {
    service.runtime.onChange((state) => {
      if (state.phase !== 'failed') return;
      const error = new RuntimeFailedError(state.failure);
      service.stop().then(() => reject(error), reject);
    });
  });
}

process.stdout.on('error', ignoreBrokenPipe);
process.stderr.on('error', () => {}); // there is nowhere to report it
const exitCode = await main(process.argv.slice(2)).catch(reportFailure);
process.exitCode ||= exitCode;
// An unread pipe would otherwise keep the process alive.
if (process.stderr.writableLength > 0 && process.stdout.writableLength === 0) process.exit();
