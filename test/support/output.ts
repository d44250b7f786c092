import { on } from 'node:events';
import type { Readable } from 'node:stream';

/** Resolves with the output of a process once it matches `wanted`. */
export async function readUntil(output: Readable, wanted: RegExp): Promise<string> {
  let text = '';
  for await (const [chunk] of on(output, 'data', { close: ['end'] })) {
    text += chunk;
    if (wanted.test(text)) return text;
  }
  throw new Error(`The output ended without ${wanted}: ${text}`);
}
