import { basename, isAbsolute } from 'node:path';

/** The path of a model in huggingface_hub's cache: `models--OWNER--NAME/snapshots/REVISION`. */
const SNAPSHOT = /(?:^|\/)models--([^/]+?)--([^/]+)\/snapshots\/[^/]+\/?$/;

/** The name of the served model: a Hugging Face id as it is, of a folder its last part. */
export function modelIdOf(modelPath: string): string {
  const [, owner, name] = SNAPSHOT.exec(modelPath) ?? [];
  if (owner !== undefined && name !== undefined) return `${owner}/${name}`;
  return isAbsolute(modelPath) || modelPath.startsWith('.') ? basename(modelPath) : modelPath;
}
