import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { RuntimeCommand } from './runtime-process.ts';

/**
 * How the runtime in `resources/runtime` is started: with the Python of its own that the packaged app
 * carries (`npm run bundle`), else with that of the environment that set-up has made.
 */
export function createRuntimeCommand(resources: URL): RuntimeCommand {
  const [bundled, made] = ['runtime/python/bin/python3', 'runtime/.venv/bin/python'].map((path) =>
    fileURLToPath(new URL(path, resources)),
  ) as [string, string];
  return {
    python: existsSync(bundled) ? bundled : made,
    args: ['-I', '-B', fileURLToPath(new URL('runtime/launcher', resources))],
  };
}
