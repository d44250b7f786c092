import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** From here on a file lies in LFS, as every safetensors file does. */
const LFS_FROM_BYTES = 100_000;

export interface RepositoryOptions {
  /** Its files are read once: a revision never changes. */
  folder: string;
  /** Whether its files are only for accounts that were let in. */
  gated?: boolean;
  license?: string;
}

export interface RepositoryFile {
  path: string;
  body: Buffer;
  /** Git's hash of what git has of it: for a file in LFS that is the pointer. */
  oid: string;
  lfs?: { oid: string; size: number; pointerSize: number };
}

/** One revision of a model on the Hub. */
export interface Repository {
  id: string;
  /** Of all its files, as a commit is. */
  sha: string;
  gated: boolean;
  license: string;
  /** By path. */
  files: ReadonlyMap<string, RepositoryFile>;
}

/** What a folder is as a repository. */
export function readRepository(
  id: string,
  { folder, gated = false, license = 'mit' }: RepositoryOptions,
): Repository {
  const paths = readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => !entry.isDirectory())
    .map((entry) => join(entry.parentPath, entry.name).slice(join(folder, '/').length))
    .sort();
  const files = paths.map((path) => toFile(path, readFileSync(join(folder, path))));
  const sha = hash('sha1', ...files.map(({ path, oid }) => `${path} ${oid}\n`));
  return { id, sha, gated, license, files: new Map(files.map((file) => [file.path, file])) };
}

function toFile(path: string, body: Buffer): RepositoryFile {
  const isLarge = body.length >= LFS_FROM_BYTES || path.endsWith('.safetensors');
  if (!isLarge) return { path, body, oid: gitHash(body) };
  const oid = hash('sha256', body);
  const pointer = Buffer.from(
    `version https://git-lfs.github.com/spec/v1\noid sha256:${oid}\nsize ${body.length}\n`,
  );
  const lfs = { oid, size: body.length, pointerSize: pointer.length };
  return { path, body, oid: gitHash(pointer), lfs };
}

function gitHash(blob: Buffer): string {
  return hash('sha1', `blob ${blob.length}\0`, blob);
}

function hash(algorithm: 'sha1' | 'sha256', ...parts: (string | Buffer)[]): string {
  const whole = createHash(algorithm);
  for (const part of parts) whole.update(part);
  return whole.digest('hex');
}
