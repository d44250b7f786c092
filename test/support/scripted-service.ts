import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import pino from 'pino';
import { createRuntimeCommand } from '../../server/runtime/process.ts';
import type { Settings } from '../../server/settings.ts';
import { type RunningService, resources, startService } from './service.ts';

const runtimeTests = new URL('../runtime/', import.meta.url);
const models = fileURLToPath(new URL('scripted_models.py', runtimeTests));
const launcher = fileURLToPath(new URL('scripted_launcher.py', runtimeTests));

/** The families in `test/runtime/scripted_models.py`. */
export type ModelKind =
  | 'qwen3-vl'
  | 'qwen3-vl-thinking'
  | 'qwen3.5'
  | 'gemma-4'
  | 'glm-4.7'
  | 'command-a'
  | 'mistral'
  | 'lfm2-vl'
  | 'strict'
  | 'refusing'
  | 'any';

export interface ScriptedService extends RunningService {
  /**
   * Stores an answer, and returns the text that makes the model give it when a prompt contains it.
   * `parser` is mlx_vlm's name of a tool format, for a model of the kind `any`.
   */
  script: (text: string, parser?: string) => Promise<string>;
}

/**
 * Starts the service with the real runtime and a model with the special tokens and the template of a
 * family, whose answers are scripted: see `test/runtime/scripted_launcher.py`.
 */
export async function startScriptedService(
  kind: ModelKind,
  overrides: Partial<Settings> = {},
  contextLength?: number,
): Promise<ScriptedService> {
  const folder = await mkdtemp(join(tmpdir(), 'sightglass-scripted-'));
  const [modelPath, scripts] = [join(folder, kind), join(folder, 'scripts')];
  const { python, args } = createRuntimeCommand(resources);
  const command = { python, args: [...args.slice(0, -1), launcher, scripts, ...args.slice(-1)] };
  const remove = () => rm(folder, { recursive: true, force: true });
  try {
    await mkdir(scripts);
    const length = contextLength === undefined ? [] : [String(contextLength)];
    await execa(python, ['-B', models, kind, modelPath, ...length]);
    const settings = { modelPath, allowTextOnly: true, ...overrides };
    const running = await startService(settings, pino({ level: 'silent' }), { command });
    let written = 0;
    return {
      ...running,
      stop: async () => {
        await running.stop();
        await remove();
      },
      script: async (text, parser) => {
        const name = written++;
        await writeFile(join(scripts, `${name}.json`), JSON.stringify({ text, parser }));
        return `[[script ${name}]]`;
      },
    };
  } catch (error) {
    await remove();
    throw error;
  }
}
