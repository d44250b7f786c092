#!/usr/bin/env node
import { fileURLToPath } from 'node:url';
import { banner, exposureWarning } from './cli/banner.ts';
import { drainOnSignals } from './cli/drain-on-signals.ts';
import { parseFlags, UsageError } from './cli/flags.ts';
import { ListenError } from './http/http-server.ts';
import { createLog } from './log.ts';
import { createRuntimeCommand } from './runtime/runtime-command.ts';
import { RuntimeFailedError } from './runtime/runtime-errors.ts';
import { createService, type Service } from './service.ts';

/** The headless host of the service: `sightglass --model-path … --port …`. Gives the exit code. */
async function main(): Promise<number> {
  const resources = new URL('../resources/', import.meta.url);
  const settings = parseFlags(process.argv.slice(2), process.env, {
    modelPath: fileURLToPath(new URL('models/demo', resources)),
    host: '0.0.0.0',
  });
  const { log, file, flush } = await createLog(settings);
  const service = createService({ settings, command: createRuntimeCommand(resources), log });
  const ended = Promise.race([drainOnSignals(service, log), failureOf(service)]);
  process.stdout.on('error', () => {}); // whoever read it has gone; the service goes on
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
function failureOf({ runtime, stop }: Service): Promise<never> {
  return new Promise((_resolve, reject) => {
    runtime.onChange((state) => {
      if (state.phase !== 'failed') return;
      const error = new RuntimeFailedError(state.failure);
      stop().then(() => reject(error), reject);
    });
  });
}

/** One line for what a person can mend; the whole error for what is ours. */
function fail(error: unknown): number {
  if (error instanceof UsageError) {
    if (error.exitCode !== 0) process.stderr.write(`${error.message}\n`);
    return error.exitCode;
  }
  if (error instanceof ListenError || error instanceof RuntimeFailedError) {
    process.stderr.write(`error: ${error.message}\n`);
    return 1;
  }
  throw error;
}

process.exitCode = await main().catch(fail);
