import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { demoModel } from './service.ts';

/** A model folder of a test's own. */
export interface ChangedModel extends AsyncDisposable {
  folder: string;
}

/** Copies the demo model, with its name, and changes the copy. Disposing of it removes it. */
export async function changedModel(
  change: (folder: string) => Promise<unknown> = async () => {},
): Promise<ChangedModel> {
  const parent = await mkdtemp(join(tmpdir(), 'sightglass-model-'));
  const folder = join(parent, 'demo');
  await cp(demoModel, folder, { recursive: true });
  await change(folder);
  return { folder, [Symbol.asyncDispose]: () => rm(parent, { recursive: true }) };
}

/** Changes the configuration of a model in a folder. */
export async function changeConfig(folder: string, changes: object): Promise<void> {
  const file = join(folder, 'config.json');
  const config = JSON.parse(await readFile(file, 'utf8'));
  await writeFile(file, JSON.stringify({ ...config, ...changes }));
}
