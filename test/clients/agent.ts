import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import { png } from './fixture.ts';

/** Coding agents send 5,000 to 10,000 tokens per request, and even more with the demo model's tokenizer. */
export const AGENT_CONTEXT = 65_536;
/** Processing an agent's first prompt takes long on a busy machine. */
const TIMEOUT_MS = 600_000;

/** The programs in the agents' npm packages. Install scripts, which would link them, have not run. */
const PROGRAMS = {
  codex: ['.bin/codex'],
  // The baseline build runs on every processor, so it comes first.
  opencode: ['-baseline', ''].map(
    (variant) => `opencode-${process.platform}-${process.arch}${variant}/bin/opencode`,
  ),
};

/** Returns the path of an agent's program, and why its tests must be skipped if it is not installed. */
export function findAgent(name: keyof typeof PROGRAMS): { program: string; skip: string | false } {
  const folder = new URL('agents/node_modules/', import.meta.url);
  const program = PROGRAMS[name]
    .map((path) => fileURLToPath(new URL(path, folder)))
    .find((path) => existsSync(path));
  const skip =
    program === undefined
      ? `${name} is not installed (npm may have no package for this platform)`
      : false;
  return { program: program ?? name, skip };
}

/** The command for an MCP server whose tool `snap` returns this text and a picture. */
export function pictureServer(text: string): [command: string, ...args: string[]] {
  const script = fileURLToPath(new URL('picture-server.mjs', import.meta.url));
  return [process.execPath, script, text, png.toString('base64')];
}

/** A tool call as the model `qwen3-vl` writes it. */
export function calling(name: string, args: object): string {
  return `<tool_call>\n${JSON.stringify({ name, arguments: args })}\n</tool_call>`;
}

/** Creates a temporary folder for an agent's settings or its work. */
export async function createFolder(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'sightglass-agent-'));
  t.after(() => rm(folder, { recursive: true, force: true, maxRetries: 5 }));
  return folder;
}

/** Runs an agent without a terminal, with a separate home folder and none of the user's settings. */
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
