import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';

/** The hash of what a set-up was made from. */
export function hashFiles(paths) {
  const hash = createHash('sha256');
  for (const path of paths) hash.update(readFileSync(path)).update('\0');
  return hash.digest('hex');
}

/** The JSON of a file; undefined when it is missing or half written. */
export function readJson(path) {
  try {
    return JSON.parse(readFileSync(path, 'utf8'));
  } catch {
    return undefined;
  }
}
