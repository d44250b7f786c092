import { readdir, readFile, stat } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import type { FoundModel } from '../contract.ts';

/** Where models lie, and how deep: below a snapshot's hash, or an owner and a name. */
interface Place {
  name: string;
  folder: string;
  list: (folder: string) => Promise<{ path: string; name: string }[]>;
}

/** The models that see pictures on this machine, by name. Reads only, and only what is needed. */
export async function findModels(
  env: Readonly<Record<string, string | undefined>> = process.env,
  home = homedir(),
): Promise<FoundModel[]> {
  const found = await Promise.all(
    places(env, home).map(async ({ name: place, folder, list }) => {
      const candidates = await list(folder).catch(() => []); // there is no such folder
      const models = candidates.map((candidate) => inspect(candidate, place));
      return (await Promise.all(models)).flat();
    }),
  );
  return found.flat().sort((a, b) => a.name.localeCompare(b.name));
}

function places(env: Readonly<Record<string, string | undefined>>, home: string): Place[] {
  const huggingFace = env['HF_HOME'] ?? join(home, '.cache', 'huggingface');
  return [
    {
      name: 'Hugging Face cache',
      folder: env['HF_HUB_CACHE'] ?? join(huggingFace, 'hub'),
      list: listSnapshots,
    },
    { name: 'LM Studio', folder: join(home, '.lmstudio', 'models'), list: listOwned },
    { name: 'LM Studio', folder: join(home, '.cache', 'lm-studio', 'models'), list: listOwned },
    { name: 'omlx', folder: join(home, '.omlx', 'models'), list: listOwned },
  ];
}

/** `models--owner--name/snapshots/<hash>`: huggingface_hub's layout, with the newest one. */
async function listSnapshots(folder: string) {
  const repositories = (await readdir(folder)).filter((entry) => entry.startsWith('models--'));
  const newest = repositories.map(async (entry) => {
    const ref = join(folder, entry, 'refs', 'main');
    const hash = await readFile(ref, 'utf8').catch(() => undefined);
    if (hash === undefined) return [];
    const name = entry.slice('models--'.length).replace('--', '/');
    return [{ path: join(folder, entry, 'snapshots', hash.trim()), name }];
  });
  return (await Promise.all(newest)).flat();
}

/** `owner/name`, or models side by side. */
async function listOwned(folder: string) {
  const owners = await readdir(folder, { withFileTypes: true });
  const listed = owners.map(async (owner) => {
    const inner: string[] = await readdir(join(folder, owner.name)).catch(() => []);
    if (inner.includes('config.json')) {
      return [{ path: join(folder, owner.name), name: owner.name }];
    }
    return inner.map((name) => ({
      path: join(folder, owner.name, name),
      name: `${owner.name}/${name}`,
    }));
  });
  return (await Promise.all(listed)).flat();
}

/** The model in a folder, if it is one that sees pictures and has its weights as safetensors. */
async function inspect(
  { path, name }: { path: string; name: string },
  place: string,
): Promise<FoundModel[]> {
  try {
    const config = JSON.parse(await readFile(join(path, 'config.json'), 'utf8'));
    const files = await readdir(path);
    const weights = files.filter((file) => file.endsWith('.safetensors'));
    const seesPictures = 'vision_config' in config || 'visual' in config;
    if (!seesPictures || weights.length === 0) return [];
    const sizes = await Promise.all(weights.map((file) => stat(join(path, file))));
    const bytes = sizes.reduce((sum, { size }) => sum + size, 0);
    return [{ path, name, place, bytes, type: String(config.model_type ?? '') }];
  } catch {
    return []; // not a model's folder, or not ours to read
  }
}
