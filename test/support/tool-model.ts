import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { demoModel } from './service.ts';

export interface ToolModel {
  path: string;
  remove: () => Promise<void>;
}

/**
 * A copy of the demo model whose template says that it calls tools in the "pythonic" format, so
 * that mlx_vlm looks for calls. What to call is put into its mouth by `saying`.
 */
export async function createToolModel(): Promise<ToolModel> {
  const path = await mkdtemp(join(tmpdir(), 'sightglass-tool-model-'));
  await cp(demoModel, path, { recursive: true });
  for (const file of ['chat_template.jinja', 'chat_template.json']) {
    const template = await readFile(join(path, file), 'utf8').catch(() => undefined);
    if (template === undefined) continue;
    const note = '{# <|tool_call_start|> <|tool_call_end|> #}';
    if (file.endsWith('.jinja')) await writeFile(join(path, file), note + template);
    else throw new Error('The demo model has its template as JSON now.');
  }
  return { path, remove: () => rm(path, { recursive: true }) };
}

/** The schema of one string: under it the model can say nothing else (its quotes come with it). */
export function saying(text: string) {
  return { type: 'string', const: text };
}

/** What a model says to call these functions. */
export function calling(...calls: string[]): string {
  return `<|tool_call_start|>[${calls.join(', ')}]<|tool_call_end|>`;
}
