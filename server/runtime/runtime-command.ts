import { fileURLToPath } from 'node:url';
import type { RuntimeCommand } from './runtime-process.ts';

/** How the runtime in `resources/runtime` is started: its own Python, apart from the person's. */
export function createRuntimeCommand(resources: URL): RuntimeCommand {
  return {
    python: fileURLToPath(new URL('runtime/.venv/bin/python', resources)),
    args: ['-I', '-B', fileURLToPath(new URL('runtime/launcher', resources))],
  };
}
