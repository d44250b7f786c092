import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import { resources } from './service.ts';

const python = fileURLToPath(new URL('runtime/.venv/bin/python', resources));
const SPAWN = 'import pty, sys; sys.exit(pty.spawn(sys.argv[1:]) >> 8)';

/** The output of a command on a terminal of 120 columns, stdout and stderr combined. */
export async function runOnTerminal(
  command: readonly string[],
  env: Readonly<Record<string, string>>,
): Promise<string> {
  const shell = ['sh', '-c', 'stty cols 120 rows 40; exec "$@"', 'sh', ...command];
  const { stdout } = await execa(python, ['-c', SPAWN, ...shell], { env, reject: false });
  return stdout.replaceAll('\r\n', '\n');
}
