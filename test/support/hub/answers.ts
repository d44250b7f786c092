import type { Repository, RepositoryFile } from './repository.ts';

/** What the Hub says to a request that it does not refuse. */
export type Answer =
  | { kind: 'json'; body: unknown }
  | { kind: 'redirect'; location: string; headers: Record<string, string | number> }
  | { kind: 'file'; file: RepositoryFile; headers: Record<string, string> };

/** `GET /api/models/{id}`; the sizes and hashes of its files only with `?blobs=true`. */
export function modelInfo(repository: Repository, hasBlobs: boolean): Answer {
  const { id, sha, gated, license, files } = repository;
  const siblings = [...files.values()].map(({ path, body, oid, lfs }) => ({
    rfilename: path,
    ...(hasBlobs ? { blobId: oid, size: body.length } : {}),
    ...(hasBlobs && lfs ? { lfs: { ...lfs, sha256: lfs.oid } } : {}),
  }));
  const body = {
    id,
    modelId: id,
    author: id.split('/')[0],
    sha,
    private: false,
    gated: gated ? 'manual' : false,
    disabled: false,
    downloads: 0,
    likes: 0,
    tags: ['safetensors', `license:${license}`],
    pipeline_tag: 'image-text-to-text',
    lastModified: '2026-01-01T00:00:00.000Z',
    createdAt: '2026-01-01T00:00:00.000Z',
    cardData: { license },
    siblings,
  };
  return { kind: 'json', body };
}

/** `GET /api/models/{id}/tree/{revision}`, always with what lies in folders. */
export function tree({ files }: Repository): Answer {
  const body = [...files.values()].map(({ path, body: { length: size }, oid, lfs }) => {
    const entry = { type: 'file', path, size, oid };
    return lfs === undefined ? entry : { ...entry, lfs };
  });
  return { kind: 'json', body };
}

/** `/{id}/resolve/{revision}/{path}`: a small file itself, of a large one where it lies. */
export function resolved({ id, sha }: Repository, file: RepositoryFile, cdnUrl: string): Answer {
  const headers = { 'x-repo-commit': sha };
  const { path, oid, lfs } = file;
  if (lfs === undefined) return { kind: 'file', file, headers: { ...headers, etag: `"${oid}"` } };
  return {
    kind: 'redirect',
    location: encodeURI(`${cdnUrl}/cdn/${id}/${sha}/${path}`),
    headers: { ...headers, 'x-linked-etag': `"${lfs.oid}"`, 'x-linked-size': lfs.size },
  };
}

/** The CDN knows nothing of commits, and its ETag is not the hash that the Hub has of the file. */
export function fromCdn(file: RepositoryFile): Answer {
  return { kind: 'file', file, headers: { etag: `"cdn-${file.oid}"` } };
}
