import { basename, isAbsolute } from 'node:path';

/** The name of the served model: a Hugging Face id as it is, of a folder its last part. */
export function modelIdOf(modelPath: string): string {
  return isAbsolute(modelPath) || modelPath.startsWith('.') ? basename(modelPath) : modelPath;
}
