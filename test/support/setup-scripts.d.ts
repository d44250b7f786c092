// Setup is plain JavaScript. Declared here and not beside it: with a .d.mts there, Biome's
// useImportExtensions rewrites every import of it to `.mjs.mts`.
declare module '*/scripts/setup-chromium.mjs' {
  export function findChromium(): string | undefined;
  export function ensureChromium(root: string): Promise<void>;
}

declare module '*/scripts/setup-runtime.mjs' {
  export function hasRuntime(root: string, options: { dev: boolean }): boolean;
  export function ensureRuntime(
    root: string,
    options: { dev: boolean; env: Record<string, string | undefined>; disk: string },
  ): Promise<void>;
}

declare module '*/scripts/setup-lock.mjs' {
  /** Runs the work while no other setup of this folder runs. */
  export function withSetupLock(root: string, work: () => Promise<void>): Promise<void>;
}

declare module '*/scripts/setup-step.mjs' {
  export class SetupError extends Error {}
  export function processStart(pid: number): string | undefined;
  /** Runs one command, logged and shown as a single line. */
  export function runStep(
    root: string,
    step: {
      title: string;
      command: string;
      args: readonly string[];
      env: Record<string, string | undefined>;
      remedy: string;
    },
  ): Promise<void>;
}

declare module '*/scripts/setup-node-modules.mjs' {
  export const OLDEST_SETUP_NODE: number;
  export function hasNodeModules(root: string): boolean;
  export function ensureNodeModules(
    root: string,
    process: { env: Record<string, string | undefined> },
  ): Promise<void>;
}

declare module '*/scripts/setup-node.mjs' {
  export function checkMachine(machine: {
    platform: string;
    arch: string;
    isTranslated: () => boolean;
  }): void;
  export function checkFolder(root: string): void;
  export function findFault(
    reported: [version: string, arch: string, typescript: string | false | null],
    oldest: string,
  ): string | undefined;
  export function hasNode(root: string): boolean;
  export function ensureNode(
    root: string,
    process: { execPath: string; env: Record<string, string | undefined> },
  ): Promise<void>;
}

declare module '*/setup-python-settings.mjs' {
  type Environment = Record<string, string | undefined>;
  export function toPythonEnvironment(env: Environment): Environment;
  export function toPipEnvironment(python: string, env: Environment): Environment;
  export function toUvEnvironment(python: string, env?: Environment): Environment;
}

declare module '*/setup-python.mjs' {
  interface Search {
    env: Record<string, string | undefined>;
    downloads: string;
    disk: string;
    platform: string;
    arch: string;
  }
  interface Choice {
    path: string | undefined;
    seen: readonly object[];
    machine: string;
  }
  export const AS_LOCKED: readonly string[];
  export const MINORS: readonly number[];
  export const DOWNLOADED: string;
  export function choosePython(search: Search): Choice;
  export function explain(choice: Omit<Choice, 'path'> & { platform: string }): string;
  export function checkMacos(macos: { platform: string; release: string }): void;
  export function ensurePython(root: string, search: Pick<Search, 'env' | 'disk'>): Promise<string>;
}
