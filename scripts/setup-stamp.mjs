import { createHash } from 'node:crypto';
import { readFileSync, renameSync, statSync, writeFileSync } from 'node:fs';

/** Returns one hash of the contents of these files, all of which must exist. */
export function hashFiles(paths) {
  const hash = createHash('sha256');
  for (const path of paths) hash.update(readFileSync(path)).update('\0');
  return hash.digest('hex');
}

/** Parses a JSON file; returns undefined if it is missing or truncated. */
export function readJson(path) {
  try {
    return JSON.parse(readFileSync(path, 'utf8'));
  } catch {
    return undefined;
  }
}

/**
 * Parses the last line that a program printed; returns undefined if it is not JSON. A sitecustomize.py,
 * a `--require` in NODE_OPTIONS or a wrapper script may have printed other lines before it.
 */
export function parseLastLine(text) {
  try {
    return JSON.parse(text.trimEnd().split('\n').at(-1));
  } catch {
    return undefined;
  }
}

/** Identifies a file by its size and time; changes when the file is replaced. Undefined if missing. */
export function fingerprint(path) {
  try {
    const { size, mtimeMs } = statSync(path);
    return `${size} ${mtimeMs}`;
  } catch {
    return undefined; // missing, or not readable, for example after setup ran with sudo
  }
}

/** Replaces the file atomically, so that a stamp is either complete or missing. */
export function writeStamp(path, content) {
  const draft = `${path}.${process.pid}`;
  writeFileSync(draft, JSON.stringify(content));
  renameSync(draft, path);
}
