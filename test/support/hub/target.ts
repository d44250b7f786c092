/** What an address of the Hub, or of its CDN, names. */
export interface Target {
  kind: 'info' | 'tree' | 'resolve' | 'cdn';
  id: string;
  revision: string;
  file: string | undefined;
}

const ID = '([^/]+/[^/]+)';
const ADDRESSES: readonly [Target['kind'], RegExp][] = [
  ['info', new RegExp(`^/api/models/${ID}(?:/revision/([^/]+))?$`)],
  ['tree', new RegExp(`^/api/models/${ID}/tree/([^/]+)$`)],
  ['resolve', new RegExp(`^/${ID}/resolve/([^/]+)/(.+)$`)],
  ['cdn', new RegExp(`^/cdn/${ID}/([^/]+)/(.+)$`)],
];

/** Undefined for an address that the Hub has and this one does not. */
export function toTarget(path: string): Target | undefined {
  for (const [kind, address] of ADDRESSES) {
    const [, id, revision = 'main', file] = address.exec(path) ?? [];
    if (id === undefined) continue;
    return {
      kind,
      id: decodeURIComponent(id),
      revision: decodeURIComponent(revision), // a "/" in it is written as %2F
      file: file && decodeURIComponent(file),
    };
  }
  return undefined;
}
