import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { expandPath } from './expand-path.ts';

const LmStudioSettings = z.object({ downloadsFolder: z.string().min(1) });
const OmlxSettings = z.object({
  model: z.object({
    model_dirs: z.array(z.string()).default([]),
    model_dir: z.string().nullish(),
  }),
});

/**
 * Where LM Studio keeps its models: where its settings say, else where it does by itself.
 * `~/.lmstudio-home-pointer` names its folder when that was moved.
 */
export async function lmStudioFolders(home: string): Promise<string[]> {
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
 * Where omlx keeps its models: where its environment or its settings say, else where it does by
 * itself. Source: omlx/settings.py (`resolve_default_base_path`, `get_model_dirs`).
 */
export async function omlxFolders(env: NodeJS.ProcessEnv, home: string): Promise<string[]> {
  const inHome = (path: string) => expandPath(path, env, home);
  const moved = join(home, 'Library', 'Application Support', 'oMLX', 'base-path');
  const base = inHome(env['OMLX_BASE_PATH'] || (await readLine(moved)) || '~/.omlx');
  const given = env['OMLX_MODEL_DIR']?.split(',').filter((path) => path.trim() !== '') ?? [];
  if (given.length > 0) return given.map(inHome);
  const { model } = (await readSettings(join(base, 'settings.json'), OmlxSettings)) ?? {};
  if (model !== undefined && model.model_dirs.length > 0) return model.model_dirs.map(inHome);
  return [model?.model_dir ? inHome(model.model_dir) : join(base, 'models')];
}

/** Undefined when there is none, or it is not ours to understand. */
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

/** Undefined when there is no such file, or nothing in it. */
async function readLine(file: string): Promise<string | undefined> {
  const text = await readFile(file, 'utf8').catch(() => '');
  return text.trim() || undefined;
}
