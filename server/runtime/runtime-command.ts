import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { RuntimeCommand } from './python-process.ts';

/**
 * How a program of `resources/runtime` is started, by default the launcher: with the Python that the
 * packaged app carries (`npm run bundle`), else with that of the environment that setup has made.
 */
export function createRuntimeCommand(
  resources: URL,
  program: 'launcher' | 'models' | 'doctor' = 'launcher',
): RuntimeCommand {
  const [bundled, made, script] = [
    'runtime/python/bin/python3',
    'runtime/.venv/bin/python',
    `runtime/${program}`,
  ].map((path) => fileURLToPath(new URL(path, resources))) as [string, string, string];
  return { python: existsSync(bundled) ? bundled : made, args: ['-I', '-B', script] };
}

/** The same for the program that judges and downloads models. */
export function createModelsCommand(resources: URL): RuntimeCommand {
  return createRuntimeCommand(resources, 'models');
}
