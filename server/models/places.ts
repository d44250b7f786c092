import { readdir, readFile, stat } from 'node:fs/promises';
import { homedir } from 'node:os';
import { basename, join } from 'node:path';
import { z } from 'zod';
import { HUB_NAME } from './names.ts';

/** A folder that may contain a model, and the name of the place where it was found. */
export interface Candidate {
  /** The `modelPath` to serve it: the folder, or the id of a model in the Hugging Face cache. */
  path: string;
  name: string;
  place: string;
}

/** A folder to search, with a name for people. */
export interface Place {
  name: string;
  folder: string;
}

/** The folder of a download in its repository (`hub/download.py`), until it is complete. */
export const UNFINISHED = 'sightglass-download';

/** Folders below a place: `owner/name`. */
const DEPTH = 2;

/** The cache of huggingface_hub. Source: huggingface_hub/constants.py. */
export function hubCache(env: NodeJS.ProcessEnv = process.env, home = homedir()): string {
  const given = (name: string) => {
    const path = env[name];
    return path === undefined ? undefined : expandPath(path, env, home);
  };
  const xdg = given('XDG_CACHE_HOME') ?? join(home, '.cache');
  const huggingFace = given('HF_HOME') ?? join(xdg, 'huggingface');
  return given('HF_HUB_CACHE') ?? given('HUGGINGFACE_HUB_CACHE') ?? join(huggingFace, 'hub');
}

/** The folders to search besides the Hugging Face cache: those of other apps, and `more`. */
export async function listPlaces(
  more: readonly Place[],
  env: NodeJS.ProcessEnv = process.env,
  home = homedir(),
): Promise<Place[]> {
  const [lmStudio, omlx] = await Promise.all([lmStudioFolders(home), omlxFolders(env, home)]);
  return [
    ...lmStudio.map((folder) => ({ name: 'LM Studio', folder })),
    ...omlx.map((folder) => ({ name: 'omlx', folder })),
    ...more,
  ];
}

/** Finds folders that may contain models: in the folders of other apps, and in `more`. */
export async function listCandidates(
  more: readonly Place[],
  env: NodeJS.ProcessEnv = process.env,
  home = homedir(),
): Promise<Candidate[]> {
  const places = await listPlaces(more, env, home);
  const listed = await Promise.all([
    listCached(hubCache(env, home)),
    ...places.map((place) => listOwned(place)),
  ]);
  const byPath = new Map(listed.flat().map((candidate) => [candidate.path, candidate]));
  return [...byPath.values()].sort((a, b) => a.name.localeCompare(b.name));
}

async function listCached(cache: string): Promise<Candidate[]> {
  const models = await listCachedModels(cache);
  return models
    .filter(({ id }) => HUB_NAME.test(id)) // without an owner it cannot be selected by its id
    .map(({ id }) => ({ path: id, name: id, place: 'Hugging Face cache' }));
}

/** A model in a Hugging Face cache: its id, and the folder of its current files. */
export interface CachedModel {
  id: string;
  folder: string;
}

/**
 * The models of a Hugging Face cache, none if the folder is not one. huggingface_hub's layout is
 * `models--owner--name/{refs,snapshots}`.
 */
export async function listCachedModels(cache: string): Promise<CachedModel[]> {
  const repositories = (await namesIn(cache)).filter((entry) => entry.startsWith('models--'));
  const models = repositories.map(async (entry) => {
    const commit = await currentCommit(join(cache, entry));
    if (commit === undefined) return [];
    const id = entry.slice('models--'.length).replace('--', '/');
    return [{ id, folder: join(cache, entry, 'snapshots', commit) }];
  });
  return (await Promise.all(models)).flat();
}

/**
 * The commit of the main branch, or else of the tag or branch that was downloaded last, or else the
 * latest snapshot: downloading a commit leaves no reference. `shared/hub_cache.py` picks the same.
 */
async function currentCommit(repository: string): Promise<string | undefined> {
  const refs = join(repository, 'refs');
  const main = await readLine(join(refs, 'main'));
  if (main !== undefined) return main;
  const names = await readdir(refs, { recursive: true }).catch(() => []);
  const [ref] = await latestFirst(names.map((name) => join(refs, name)));
  if (ref !== undefined) return readLine(ref);
  // A download of ours is not complete before it has written the reference.
  if ((await namesIn(repository)).includes(UNFINISHED)) return undefined;
  const snapshots = join(repository, 'snapshots');
  const commits = (await namesIn(snapshots)).map((name) => join(snapshots, name));
  const [snapshot] = await latestFirst(commits, { ofFolders: true });
  return snapshot === undefined ? undefined : basename(snapshot);
}

/** The files, or the folders, among the paths; the latest first. */
async function latestFirst(
  paths: readonly string[],
  { ofFolders = false } = {},
): Promise<string[]> {
  const found = await Promise.all(
    paths.map(async (path) => ({ path, stats: await stat(path).catch(() => undefined) })),
  );
  return found
    .filter(({ stats }) => stats !== undefined && stats.isDirectory() === ofFolders)
    .sort((a, b) => (b.stats?.mtimeMs ?? 0) - (a.stats?.mtimeMs ?? 0))
    .map(({ path }) => path);
}

/**
 * The folder itself, its subfolders, or `owner/name` below it. Includes broken models, to report what is
 * wrong with them.
 */
async function listOwned(
  { name: place, folder }: Place,
  within: readonly string[] = [],
): Promise<Candidate[]> {
  const path = join(folder, ...within);
  const names = await namesIn(path);
  const itself = [{ path, name: within.join('/') || basename(folder), place }];
  if (names.some((each) => each === 'config.json' || each.endsWith('.safetensors'))) return itself;
  const deeper = within.length < DEPTH ? names : [];
  const listed = deeper.map((each) => listOwned({ name: place, folder }, [...within, each]));
  const found = (await Promise.all(listed)).flat();
  // A loose GGUF file beside the models must not hide them.
  return found.length === 0 && names.some((each) => each.endsWith('.gguf')) ? itself : found;
}

/** Omits dot files, which macOS writes on exFAT and SMB disks. Empty if the folder cannot be read. */
async function namesIn(folder: string): Promise<string[]> {
  const names = await readdir(folder).catch(() => []);
  return names.filter((name) => !name.startsWith('.'));
}

const LmStudioSettings = z.object({ downloadsFolder: z.string().min(1) });
const OmlxSettings = z.object({
  model: z.object({
    model_dirs: z.array(z.string()).default([]),
    model_dir: z.string().nullish(),
  }),
});

/**
 * LM Studio's folder of models, from its settings or by default. `~/.lmstudio-home-pointer` contains the
 * path of its home folder if that was moved.
 */
async function lmStudioFolders(home: string): Promise<string[]> {
  const own = (await readLine(join(home, '.lmstudio-home-pointer'))) ?? join(home, '.lmstudio');
  const settings = await Promise.all(
    [own, join(home, 'Library', 'Application Support', 'LM Studio')].map((folder) =>
      readSettings(join(folder, 'settings.json'), LmStudioSettings),
    ),
  );
  const chosen = settings.flatMap((each) => each?.downloadsFolder ?? []);
  return [...chosen, join(own, 'models'), join(home, '.cache', 'lm-studio', 'models')];
}

/**
 * omlx's folders of models, from the environment, its settings or by default. Source: omlx/settings.py
 * (`resolve_default_base_path`, `get_model_dirs`).
 */
async function omlxFolders(env: NodeJS.ProcessEnv, home: string): Promise<string[]> {
  const inHome = (path: string) => expandPath(path, env, home);
  const moved = join(home, 'Library', 'Application Support', 'oMLX', 'base-path');
  const base = inHome(env['OMLX_BASE_PATH'] || (await readLine(moved)) || '~/.omlx');
  const given = env['OMLX_MODEL_DIR']?.split(',').filter((path) => path.trim() !== '') ?? [];
  if (given.length > 0) return given.map(inHome);
  const { model } = (await readSettings(join(base, 'settings.json'), OmlxSettings)) ?? {};
  if (model !== undefined && model.model_dirs.length > 0) return model.model_dirs.map(inHome);
  return [model?.model_dir ? inHome(model.model_dir) : join(base, 'models')];
}

/** Undefined if it does not exist or has an unknown format. */
async function readSettings<Settings>(
  file: string,
  schema: z.ZodType<Settings>,
): Promise<Settings | undefined> {
  try {
    return schema.parse(JSON.parse(await readFile(file, 'utf8')));
  } catch {
    return undefined;
  }
}

/** Undefined if the file does not exist or is empty. */
async function readLine(file: string): Promise<string | undefined> {
  const text = await readFile(file, 'utf8').catch(() => '');
  return text.trim() || undefined;
}

/** Expands `~` and `$NAME` in a path, like a shell and huggingface_hub. */
function expandPath(path: string, env: NodeJS.ProcessEnv = process.env, home = homedir()): string {
  return path
    .trim()
    .replace(/^~(?=\/|$)/, () => home)
    .replace(/\$(\w+)|\$\{(\w+)\}/g, (all, name, braced) => env[name ?? braced] ?? all);
}
