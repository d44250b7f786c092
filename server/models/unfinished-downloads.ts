import { readdir, readFile, stat } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';
import { hubCache } from './model-places.ts';
import type { Download } from './model-views.ts';

/** What `resources/runtime/models/download.py` keeps beside the files that have come. */
const Marker = z.object({ id: z.string(), total_bytes: z.number().min(0) });
const FOLDER = 'sightglass-download';

/** Downloads that were paused, or whose process was killed, as they lie on the disk. */
export async function findUnfinished(
  env: NodeJS.ProcessEnv = process.env,
  home = homedir(),
): Promise<Download[]> {
  const cache = hubCache(env, home);
  const repositories = await readdir(cache).catch(() => []);
  const found = repositories.map(async (name): Promise<Download[]> => {
    const folder = join(cache, name, FOLDER);
    const text = await readFile(join(folder, 'download.json'), 'utf8').catch(() => undefined);
    const marker = text === undefined ? undefined : parse(text);
    if (marker === undefined) return [];
    const { id, total_bytes } = marker;
    const doneBytes = Math.min(await bytesIn(folder), total_bytes);
    return [{ id, phase: 'paused', doneBytes, totalBytes: total_bytes }];
  });
  return (await Promise.all(found)).flat();
}

function parse(text: string): z.infer<typeof Marker> | undefined {
  try {
    return Marker.parse(JSON.parse(text));
  } catch {
    return undefined; // cut off while it was written: the download begins anew
  }
}

/** Another program may be at work on it: what goes while it is counted is none. */
async function bytesIn(folder: string): Promise<number> {
  const names = await readdir(folder).catch(() => []);
  const parts = names.filter((name) => /^[0-9a-f]{40}/.test(name));
  const sizes = await Promise.all(
    parts.map((name) =>
      stat(join(folder, name)).then(
        ({ size }) => size,
        () => 0,
      ),
    ),
  );
  return sizes.reduce((sum, size) => sum + size, 0);
}
