import { readFile } from 'node:fs/promises';
import { z } from 'zod';
import { judgeFit } from './fit.ts';
import { HUB_NAME } from './hub-name.ts';
import type { SuggestedModel } from './model-views.ts';
import type { MachineLine } from './models-line.ts';

/** `resources/models/suggested.json`, which anyone may edit. */
const SuggestedFile = z.object({
  models: z.array(
    z.object({
      id: z.string().regex(HUB_NAME),
      name: z.string(),
      gigabytes: z.number().positive(),
      request_megabytes: z.number().positive(),
      licence: z.string(),
      note: z.string(),
    }),
  ),
});

/** Good models to download, the smallest first, judged for this machine. */
export async function suggestModels(
  resources: URL,
  machine: MachineLine,
  maxConcurrency: number,
): Promise<SuggestedModel[]> {
  const text = await readFile(new URL('models/suggested.json', resources), 'utf8');
  const { models } = SuggestedFile.parse(JSON.parse(text));
  return models
    .map(({ id, name, gigabytes, request_megabytes, licence, note }) => {
      const bytes = gigabytes * 1e9;
      const sizes = { weightsBytes: bytes, requestBytes: request_megabytes * 1e6 };
      return { id, name, bytes, licence, note, fit: judgeFit(sizes, machine, maxConcurrency) };
    })
    .sort((a, b) => a.bytes - b.bytes);
}
