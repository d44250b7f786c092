import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import { png } from './picture.ts';

/** Coding agents send 5,000 to 10,000 tokens with each request, and the demo tokenizer makes more. */
export const AGENT_CONTEXT = 65_536;
/** The first request of an agent reads its whole prompt, which takes long on a loaded machine. */
const TIMEOUT_MS = 600_000;

/** Where the agents' npm packages have their programs; no package's script has run. */
const PROGRAMS = {
  codex: ['.bin/codex'],
  // The one that runs on every processor of the kind comes first.
  opencode: ['-baseline', ''].map(
    (kind) => `opencode-${process.platform}-${process.arch}${kind}/bin/opencode`,
  ),
};

/** The program of an agent, or why it cannot be had. */
export function findAgent(name: keyof typeof PROGRAMS): { program: string; skip: string | false } {
  const folder = new URL('agents/node_modules/', import.meta.url);
  const program = PROGRAMS[name]
    .map((path) => fileURLToPath(new URL(path, folder)))
    .find((path) => existsSync(path));
  const skip = program === undefined ? `npm has no ${name} for this machine` : false;
  return { program: program ?? name, skip };
}

/** The command of an MCP server whose tool `snap` returns this text and a picture. */
export function pictureServer(text: string): [command: string, ...args: string[]] {
  const script = fileURLToPath(new URL('picture-server.mjs', import.meta.url));
  return [process.execPath, script, text, png.toString('base64')];
}

/** A call of a tool in the format of the model `qwen3-vl`. */
export function calling(name: string, args: object): string {
  return `<tool_call>\n${JSON.stringify({ name, arguments: args })}\n</tool_call>`;
}

/** A folder of its own for an agent's settings or its work. */
export async function createFolder(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'sightglass-agent-'));
  t.after(() => rm(folder, { recursive: true, force: true, maxRetries: 5 }));
  return folder;
}

/** Runs an agent without a terminal, with a home of its own and none of the user's settings. */
export async function runAgent(
  program: string,
  args: readonly string[],
  { home, cwd, env = {} }: { home: string; cwd: string; env?: Record<string, string> },
) {
  const folders = {
    HOME: home,
    XDG_CONFIG_HOME: join(home, 'config'),
    XDG_DATA_HOME: join(home, 'data'),
    XDG_CACHE_HOME: join(home, 'cache'),
    XDG_STATE_HOME: join(home, 'state'),
  };
  const { PATH = '' } = process.env;
  const result = await execa(program, args, {
    cwd,
    env: { PATH, ...folders, ...env },
    extendEnv: false,
    stdin: 'ignore',
    reject: false,
    timeout: TIMEOUT_MS,
    killDescendants: true,
  });
  return { exitCode: result.exitCode, stdout: result.stdout, stderr: result.stderr };
}
