import { readdir, readFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { basename, join } from 'node:path';
import { lmStudioFolders, omlxFolders } from './other-apps.ts';

/** A folder that may be a model's, and where it was found, as a person says it. */
export interface Candidate {
  /** What `modelPath` would be: the folder, or the id of one in the Hugging Face cache. */
  path: string;
  name: string;
  place: string;
}

/** A folder to look in, as a person says it. */
export interface Place {
  name: string;
  folder: string;
}

/** Where huggingface_hub keeps what it downloads. Source: huggingface_hub/constants.py. */
export function hubCache(env: NodeJS.ProcessEnv = process.env, home = homedir()): string {
  const xdg = env['XDG_CACHE_HOME'] ?? join(home, '.cache');
  const huggingFace = env['HF_HOME'] ?? join(xdg, 'huggingface');
  return env['HF_HUB_CACHE'] ?? env['HUGGINGFACE_HUB_CACHE'] ?? join(huggingFace, 'hub');
}

/** What may be models in the places that other apps use, and in more. */
export async function listCandidates(
  more: readonly Place[],
  env: NodeJS.ProcessEnv = process.env,
  home = homedir(),
): Promise<Candidate[]> {
  const [lmStudio, omlx] = await Promise.all([lmStudioFolders(home), omlxFolders(env, home)]);
  const places: readonly Place[] = [
    ...lmStudio.map((folder) => ({ name: 'LM Studio', folder })),
    ...omlx.map((folder) => ({ name: 'omlx', folder })),
    ...more,
  ];
  const listed = await Promise.all([listCached(hubCache(env, home)), ...places.map(listOwned)]);
  const byPath = new Map(listed.flat().map((candidate) => [candidate.path, candidate]));
  return [...byPath.values()].sort((a, b) => a.name.localeCompare(b.name));
}

/** `models--owner--name` with a `refs/main`: huggingface_hub's layout. */
async function listCached(folder: string): Promise<Candidate[]> {
  const repositories = (await namesIn(folder)).filter((entry) => entry.startsWith('models--'));
  const whole = repositories.map(async (entry) => {
    const ref = await readFile(join(folder, entry, 'refs', 'main'), 'utf8').catch(() => undefined);
    if (ref === undefined) return [];
    const name = entry.slice('models--'.length).replace('--', '/');
    return [{ path: name, name, place: 'Hugging Face cache' }];
  });
  return (await Promise.all(whole)).flat();
}

/** The folder itself, models side by side in it, or `owner/name`. */
async function listOwned({ name: place, folder }: Place): Promise<Candidate[]> {
  const names = await namesIn(folder);
  if (isModel(names)) return [{ path: folder, name: basename(folder), place }];
  const listed = names.map(async (owner) => {
    const inner = await namesIn(join(folder, owner));
    if (isModel(inner)) return [{ path: join(folder, owner), name: owner, place }];
    const models = inner.map(async (name) => {
      const path = join(folder, owner, name);
      return isModel(await namesIn(path)) ? [{ path, name: `${owner}/${name}`, place }] : [];
    });
    return (await Promise.all(models)).flat();
  });
  return (await Promise.all(listed)).flat();
}

/** Broken ones too: a person is told what is wrong with them. */
function isModel(names: readonly string[]): boolean {
  return names.some((name) => name === 'config.json' || /\.(safetensors|gguf)$/.test(name));
}

/** None when there is no such folder, or it is not ours to read. */
function namesIn(folder: string): Promise<string[]> {
  return readdir(folder).catch(() => []);
}
