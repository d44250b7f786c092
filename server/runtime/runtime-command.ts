import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { RuntimeCommand } from './python-process.ts';

/**
 * How the runtime in `resources/runtime` is started: with the Python of its own that the packaged app
 * carries (`npm run bundle`), else with that of the environment that set-up has made.
 */
export function createRuntimeCommand(resources: URL): RuntimeCommand {
  return createCommand(resources, 'launcher');
}

/** The same for the program that judges and downloads models. */
export function createModelsCommand(resources: URL): RuntimeCommand {
  return createCommand(resources, 'models');
}

function createCommand(resources: URL, program: 'launcher' | 'models'): RuntimeCommand {
  const [bundled, made, script] = [
    'runtime/python/bin/python3',
    'runtime/.venv/bin/python',
    `runtime/${program}`,
  ].map((path) => fileURLToPath(new URL(path, resources))) as [string, string, string];
  return { python: existsSync(bundled) ? bundled : made, args: ['-I', '-B', script] };
}
