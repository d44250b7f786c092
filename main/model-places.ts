import { readdir } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import type { ModelPlace } from '../server/contract.ts';
import {
  type CachedModel,
  hubCache,
  listCachedModels,
  listPlaces,
  type Place,
} from '../server/models/model-places.ts';

/** Every folder that is searched for models, and whether the app can read it. */
export async function listModelPlaces(
  more: readonly Place[],
  env: NodeJS.ProcessEnv = process.env,
  home = homedir(),
): Promise<ModelPlace[]> {
  const places = [
    { name: 'Hugging Face cache', folder: hubCache(env, home) },
    ...(await listPlaces(more, env, home)),
  ];
  const byFolder = new Map(places.map((place) => [place.folder, place]));
  return await Promise.all(
    [...byFolder.values()].map(async (place) => ({
      ...place,
      exists: await readdir(place.folder).then(
        () => true,
        () => false,
      ),
    })),
  );
}

/**
 * The models of an added folder that is a Hugging Face cache, or an `HF_HOME` that contains one. A
 * user whose shell sets `HF_HOME` adds that folder, because an app opened from Finder does not see
 * the variable. The app's own cache is left out: it is searched anyway.
 */
export async function listAddedCache(
  folder: string,
  env: NodeJS.ProcessEnv = process.env,
  home = homedir(),
): Promise<CachedModel[]> {
  const own = hubCache(env, home);
  const caches = [folder, join(folder, 'hub')].filter((cache) => cache !== own);
  return (await Promise.all(caches.map(listCachedModels))).flat();
}
