import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';

const LmStudioSettings = z.object({ downloadsFolder: z.string().min(1) });

/**
 * Where LM Studio keeps its models: where its settings say, else where it does by itself.
 * `~/.lmstudio-home-pointer` names its folder when that was moved.
 */
export async function lmStudioFolders(home: string): Promise<string[]> {
  const pointer = await read(join(home, '.lmstudio-home-pointer'));
  const own = pointer?.trim() || join(home, '.lmstudio');
  const settings = await Promise.all(
    [own, join(home, 'Library', 'Application Support', 'LM Studio')].map((folder) =>
      read(join(folder, 'settings.json')),
    ),
  );
  const chosen = settings.map(toDownloadsFolder).filter((folder) => folder !== undefined);
  return [...chosen, join(own, 'models'), join(home, '.cache', 'lm-studio', 'models')];
}

function toDownloadsFolder(text: string | undefined): string | undefined {
  try {
    return LmStudioSettings.parse(JSON.parse(text ?? '')).downloadsFolder;
  } catch {
    return undefined; // none was chosen, or they are not ours to understand
  }
}

function read(file: string): Promise<string | undefined> {
  return readFile(file, 'utf8').catch(() => undefined);
}
