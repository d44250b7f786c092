import { homedir } from 'node:os';

/** A path as a shell, and huggingface_hub, read it: `~` is the home folder, `$NAME` a variable. */
export function expandPath(
  path: string,
  env: NodeJS.ProcessEnv = process.env,
  home = homedir(),
): string {
  return path
    .trim()
    .replace(/^~(?=\/|$)/, () => home)
    .replace(/\$(\w+)|\$\{(\w+)\}/g, (all, name, braced) => env[name ?? braced] ?? all);
}
