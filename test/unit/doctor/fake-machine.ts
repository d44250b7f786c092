import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { pathToFileURL } from 'node:url';
import type { CommandResult, Machine } from '../../../server/doctor/machine.ts';

const ANSWERS: Readonly<Record<string, string>> = {
  '/usr/sbin/sysctl -n machdep.cpu.brand_string': 'Apple M3 Pro',
  '/usr/sbin/sysctl -n hw.optional.arm64': '1',
  '/usr/sbin/sysctl -n sysctl.proc_translated': '0',
  '/usr/bin/sw_vers -productVersion': '15.1',
};

export function answer(output: string, exitCode = 0): CommandResult {
  return { exitCode, output };
}

/** A healthy Mac on which nothing else runs. `commands` answers what it is asked, by its words. */
export function fakeMac(
  changes: Partial<Machine> = {},
  commands: Readonly<Record<string, CommandResult>> = {},
): Machine {
  return {
    platform: 'darwin',
    arch: 'arm64',
    nodeVersion: '24.21.0',
    electronVersion: undefined,
    env: {},
    home: '/Users/anna',
    temporaryFolder: '/tmp',
    memoryBytes: 38.7e9,
    run: async (command, args) => {
      const words = [command, ...args].join(' ');
      const known = Object.entries(commands).find(([part]) => words.includes(part));
      return known?.[1] ?? answer(ANSWERS[words] ?? '', words in ANSWERS ? 0 : 1);
    },
    freeDiskBytes: async () => 500e9,
    isWritable: async () => true,
    readFile: (path) => Promise.reject(new Error(`there is no ${path}`)),
    listFiles: async () => [],
    acceptsConnections: async () => false,
    listenProblem: async () => undefined,
    getJson: async () => undefined,
    ...changes,
  };
}

const PYTHON = {
  event: 'python',
  version: '3.12.4',
  machine: 'arm64',
  native: true,
  executable: '/x/python3',
};
const MLX = {
  event: 'mlx',
  version: '0.32.4',
  metal: true,
  device: 'Apple M3 Pro',
  architecture: 'applegpu_g15s',
  working_set_bytes: 28.9e9,
};
const MATMUL = { event: 'matmul', device: 'Device(gpu, 0)', correct: true };
const MLX_VLM = { event: 'mlx_vlm', version: '0.7.10' };

/** What a healthy runtime reports, with changes to single steps. */
export function probeLines(changes: Readonly<Record<string, object>> = {}): object[] {
  return [PYTHON, MLX, MATMUL, MLX_VLM].map((line) => ({ ...line, ...changes[line.event] }));
}

/** Resources whose Python prints these lines for any command, then runs `end`. */
export async function fakeResources(
  t: TestContext,
  { lines = probeLines(), end = 'exit 0', name = 'resources', prepare }: FakeRuntime = {},
): Promise<URL> {
  const folder = await mkdtemp(join(tmpdir(), 'sightglass-doctor-'));
  t.after(() => rm(folder, { recursive: true }));
  await prepare?.(folder);
  const python = join(folder, name, 'runtime/.venv/bin/python');
  await mkdir(join(python, '..'), { recursive: true });
  const text = lines.map((line) => `${JSON.stringify(line)}\n`).join('');
  await writeFile(python, `#!/bin/sh\ncat <<'END'\n${text}END\n${end}\n`);
  await chmod(python, 0o755);
  return pathToFileURL(`${join(folder, name)}/`);
}

interface FakeRuntime {
  lines?: object[];
  /** Shell that follows the lines. */
  end?: string;
  /** Where the resources lie below a temporary folder. */
  name?: string;
  /** Called with that folder first. */
  prepare?: (folder: string) => Promise<void>;
}
