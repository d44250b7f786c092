#!/usr/bin/env node
import { fileURLToPath } from 'node:url';
import { banner, exposureWarning } from './cli/banner.ts';
import { drainOnSignals } from './cli/drain-on-signals.ts';
import { parseFlags, UsageError } from './cli/flags.ts';
import { PortTakenError } from './http/http-server.ts';
import { createLog } from './log.ts';
import { createRuntimeCommand } from './runtime/runtime-command.ts';
import { RuntimeFailedError, RuntimeStoppedError } from './runtime/runtime-errors.ts';
import { createService } from './service.ts';

/** The headless host of the service: `sightglass --model-path … --port …`. Gives the exit code. */
async function main(): Promise<number> {
  const resources = new URL('../resources/', import.meta.url);
  const settings = parseFlags(process.argv.slice(2), process.env, {
    modelPath: fileURLToPath(new URL('models/demo', resources)),
    host: '0.0.0.0',
  });
  const { log, file, flush } = await createLog(settings);
  const service = createService({ settings, command: createRuntimeCommand(resources), log });
  const ended = drainOnSignals(service, log);
  const port = await service.start();
  const warning = exposureWarning(settings);
  if (warning !== undefined) log.warn(warning);
  try {
    await service.runtime.ensureReady(new AbortController().signal);
    process.stdout.write(`${banner(settings, port, file)}\n`);
  } catch (error) {
    if (!(error instanceof RuntimeStoppedError)) {
      await service.stop();
      throw error;
    }
  }
  await ended;
  flush();
  return 0;
}

/** One line for what a person can mend; the whole error for what is ours. */
function fail(error: unknown): number {
  if (error instanceof UsageError) {
    if (error.exitCode !== 0) process.stderr.write(`${error.message}\n`);
    return error.exitCode;
  }
  if (error instanceof PortTakenError || error instanceof RuntimeFailedError) {
    process.stderr.write(`error: ${error.message}\n`);
    return 1;
  }
  throw error;
}

process.exitCode = await main().catch(fail);
