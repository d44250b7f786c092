// The set-up is plain JavaScript. Declared here and not beside it: with a .d.mts there, Biome's
// useImportExtensions rewrites every import of it to `.mjs.mts`.
declare module '*/scripts/setup-chromium.mjs' {
  export function findChromium(): string | undefined;
  export function ensureChromium(root: string): Promise<void>;
}
declare module '*/setup-runtime.mjs' {
  export const AS_LOCKED: readonly string[];
  /** uv's environment: without the person's settings, with the index that pip is told to use. */
  export function toUvEnvironment(python: string): Record<string, string | undefined>;
}

declare module '*/scripts/setup-lock.mjs' {
  /** Runs the work while no other set-up of this folder runs. */
  export function withSetupLock(root: string, work: () => Promise<void>): Promise<void>;
}
