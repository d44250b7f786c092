import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';

/** A file on the Hub. */
export interface HubFile {
  name: string;
  data: Buffer;
  /** Git's hash of it as a blob. */
  oid: string;
  /** Set for a large file, which is stored elsewhere. */
  sha256?: string;
}

/** A repository of the local Hub: the files of a folder at one revision. */
export class HubRepository {
  readonly id: string;
  readonly isGated: boolean;
  readonly files: ReadonlyMap<string, HubFile>;
  /** A hash of all files, in place of a commit. */
  readonly sha: string;

  private constructor(id: string, isGated: boolean, files: readonly HubFile[]) {
    this.id = id;
    this.isGated = isGated;
    this.files = new Map(files.map((file) => [file.name, file]));
    this.sha = createHash('sha1')
      .update(files.map(({ oid }) => oid).join())
      .digest('hex');
  }

  static async read(id: string, folder: string, isGated: boolean): Promise<HubRepository> {
    const names = (await readdir(folder)).sort();
    const files = names.map(async (name) => toHubFile(name, await readFile(join(folder, name))));
    return new HubRepository(id, isGated, await Promise.all(files));
  }

  /** What `GET /api/models/{id}/tree/{revision}` answers. */
  get tree(): object[] {
    return [...this.files.values()].map(({ name, data, oid, sha256 }) => ({
      type: 'file',
      path: name,
      size: data.length,
      oid,
      ...(sha256 === undefined
        ? {}
        : { lfs: { oid: sha256, size: data.length, pointerSize: 134 } }),
    }));
  }
}

function toHubFile(name: string, data: Buffer): HubFile {
  const blob = createHash('sha1').update(`blob ${data.length}\0`).update(data);
  return {
    name,
    data,
    oid: blob.digest('hex'),
    ...(/\.(safetensors|gguf)$/.test(name)
      ? { sha256: createHash('sha256').update(data).digest('hex') }
      : {}),
  };
}
