import { cp, mkdir, rename, rm, symlink, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { changeConfig } from './changed-model.ts';
import { demoModel } from './service.ts';

const LFS_POINTER = 'version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 3596416\n';

/** A way in which a model's folder is broken, and the reported problem. */
interface Specimen {
  make: (folder: string) => Promise<unknown>;
  reason: string;
  words: RegExp;
}

/** Broken models as they occur in practice, by folder name. */
export const SPECIMENS: Readonly<Record<string, Specimen>> = {
  'missing-shard': {
    make: async (folder) => {
      await rename(
        join(folder, 'model.safetensors'),
        join(folder, 'model-00001-of-00002.safetensors'),
      );
      const weight_map = {
        a: 'model-00001-of-00002.safetensors',
        b: 'model-00002-of-00002.safetensors',
      };
      await writeFile(join(folder, 'model.safetensors.index.json'), JSON.stringify({ weight_map }));
    },
    reason: 'model_incomplete',
    words: /1 of 2 weight files are missing: model-00002-of-00002\.safetensors/,
  },
  'damaged-index': {
    make: (folder) =>
      writeFile(join(folder, 'model.safetensors.index.json'), '{"weight_map": {"a": ["x"]}}'),
    reason: 'model_incomplete',
    words: /model\.safetensors\.index\.json is damaged/,
  },
  'missing-processor': {
    make: (folder) => remove(folder, 'preprocessor_config.json', 'processor_config.json'),
    reason: 'model_incomplete',
    words: /no image processor/,
  },
  'missing-tokenizer': {
    make: (folder) => remove(folder, 'tokenizer.json', 'tokenizer_config.json'),
    reason: 'model_incomplete',
    words: /has no tokenizer/,
  },
  'lfs-pointers': {
    make: (folder) => writeFile(join(folder, 'model.safetensors'), LFS_POINTER),
    reason: 'model_incomplete',
    words: /model\.safetensors is a Git LFS pointer/,
  },
  gguf: {
    make: async (folder) => {
      await empty(folder);
      await writeFile(join(folder, 'model-q4_k_m.gguf'), 'GGUF');
    },
    reason: 'unsupported_model',
    words: /contains a GGUF model/,
  },
  pytorch: {
    make: async (folder) => {
      await remove(folder, 'model.safetensors');
      await writeFile(join(folder, 'pytorch_model.bin'), '');
    },
    reason: 'unsupported_model',
    words: /contains PyTorch weights/,
  },
  'cut-short': {
    make: (folder) => truncate(join(folder, 'model.safetensors'), 1_000_000),
    reason: 'model_incomplete',
    words: /model\.safetensors is cut short: 1000000 of \d+ bytes/,
  },
  'damaged-config': {
    make: (folder) => truncate(join(folder, 'config.json'), 20),
    reason: 'model_incomplete',
    words: /config\.json is not valid JSON/,
  },
  'broken-link': {
    make: async (folder) => {
      await remove(folder, 'model.safetensors');
      await symlink('/nowhere', join(folder, 'model.safetensors'));
    },
    reason: 'model_incomplete',
    words: /model\.safetensors is missing: its link is broken/,
  },
  'unknown-type': {
    make: (folder) => changeConfig(folder, { model_type: 'nobody_knows_vl' }),
    reason: 'unsupported_model',
    words: /mlx_vlm \S+ does not know the model type nobody_knows_vl/,
  },
  'own-code': {
    make: (folder) => changeConfig(folder, { model_file: 'evil.py' }),
    reason: 'unsupported_model',
    words: /its own Python code \(evil\.py\)/,
  },
};

/** Makes a folder with one of each, and with `good`. */
export async function makeZoo(folder: string): Promise<void> {
  await cp(demoModel, join(folder, 'good'), { recursive: true });
  for (const [name, { make }] of Object.entries(SPECIMENS)) {
    const specimen = join(folder, name);
    await cp(demoModel, specimen, { recursive: true });
    await make(specimen);
  }
}

async function remove(folder: string, ...names: string[]): Promise<void> {
  await Promise.all(names.map((name) => rm(join(folder, name))));
}

async function empty(folder: string): Promise<void> {
  await rm(folder, { recursive: true });
  await mkdir(folder);
}
