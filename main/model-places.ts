import { readdir, readFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import type { ModelPlace } from '../server/contract.ts';
import { hubCache, type Place } from '../server/models/model-places.ts';
import { lmStudioFolders, omlxFolders } from '../server/models/other-apps.ts';

/** Every folder that is searched for models, as a person reads it, and whether it exists. */
export async function listModelPlaces(
  more: readonly Place[],
  env: NodeJS.ProcessEnv = process.env,
  home = homedir(),
): Promise<ModelPlace[]> {
  const [lmStudio, omlx] = await Promise.all([lmStudioFolders(home), omlxFolders(env, home)]);
  const places: Place[] = [
    { name: 'Hugging Face cache', folder: hubCache(env, home) },
    ...lmStudio.map((folder) => ({ name: 'LM Studio', folder })),
    ...omlx.map((folder) => ({ name: 'omlx', folder })),
    ...more,
  ];
  const byFolder = new Map(places.map((place) => [place.folder, place]));
  return await Promise.all(
    [...byFolder.values()].map(async (place) => ({
      ...place,
      exists: (await namesIn(place.folder)) !== undefined,
    })),
  );
}

/** A model in a Hugging Face cache: the folder of its current files, and its id. */
export interface CachedModel {
  folder: string;
  id: string;
}

/**
 * The models of a folder that is a Hugging Face cache, or `HF_HOME` with one in it: a person whose
 * shell sets `HF_HOME` adds that folder, because an app opened from Finder does not see the variable.
 * Empty for any other folder. Layout: huggingface_hub's `models--owner--name/{refs,snapshots}`.
 */
export async function listCachedModels(
  folder: string,
  env: NodeJS.ProcessEnv = process.env,
  home = homedir(),
): Promise<CachedModel[]> {
  const own = hubCache(env, home); // searched anyway, and its models have ids
  const caches = [folder, join(folder, 'hub')].filter((cache) => cache !== own);
  const listed = caches.map(async (cache) => {
    const entries = (await namesIn(cache)) ?? [];
    const models = entries
      .filter((entry) => entry.startsWith('models--'))
      .map((entry) => toCachedModel(cache, entry));
    return (await Promise.all(models)).filter((model) => model !== undefined);
  });
  return (await Promise.all(listed)).flat();
}

/** Undefined for one whose download has not ended: huggingface_hub writes `refs/main` last. */
async function toCachedModel(cache: string, entry: string): Promise<CachedModel | undefined> {
  const ref = await readFile(join(cache, entry, 'refs', 'main'), 'utf8').catch(() => undefined);
  if (ref === undefined) return undefined;
  const id = entry.slice('models--'.length).replace('--', '/');
  return { folder: join(cache, entry, 'snapshots', ref.trim()), id };
}

/** Undefined when there is no such folder, or the app may not read it. */
function namesIn(folder: string): Promise<string[] | undefined> {
  return readdir(folder).catch(() => undefined);
}
