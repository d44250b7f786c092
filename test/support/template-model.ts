import { cp, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { demoModel } from './service.ts';

/** A copy of the demo model with another chat template. */
export async function createTemplateModel(
  template: string,
): Promise<{ path: string; remove: () => Promise<void> }> {
  const path = await mkdtemp(join(tmpdir(), 'sightglass-template-model-'));
  await cp(demoModel, path, { recursive: true });
  await writeFile(join(path, 'chat_template.jinja'), template);
  return { path, remove: () => rm(path, { recursive: true }) };
}

const turn = `<|im_start|>{{ m.role }}
{% if m.content is string %}{{ m.content | trim }}{% else %}{% for c in m.content %}{% if c.type == 'image' %}<|vision_start|><|image_pad|><|vision_end|>{% elif c.type == 'text' %}{{ c.text | trim }}{% endif %}{% endfor %}{% endif %}<|im_end|>
`;
const begin = `{% if add_generation_prompt %}<|im_start|>assistant
{% endif %}`;
const refusesSystem = `{% if messages[0].role == 'system' %}{{ raise_exception('System role not supported') }}{% endif %}`;
const alternates = `{% if (m.role == 'user') != (loop.index0 % 2 == 0) %}{{ raise_exception('Conversation roles must alternate user/assistant/user/assistant/...') }}{% endif %}`;
const eachTurn = `{% for m in messages %}${turn}{% endfor %}`;

/** Templates with the manners of models that people use. */
export const templates = {
  /** Gemma 2: no system, no tools, roles alternate. */
  strict: `${refusesSystem}{% for m in messages %}${alternates}${turn}{% endfor %}${begin}`,
  /** SmolVLM2: shows every role, knows no tools. */
  plain: `${eachTurn}${begin}`,
  /** Mistral: tools of its own form, ids of nine characters. */
  mistral:
    `{% if tools %}[AVAILABLE_TOOLS]{{ tools | tojson }}[/AVAILABLE_TOOLS]{% endif %}{% for m in messages %}` +
    `{% if m.role == 'tool' %}{% if m.tool_call_id | length != 9 %}{{ raise_exception('Tool call IDs should be alphanumeric strings with length 9!') }}{% endif %}[TOOL_RESULTS]{{ m.content }}[/TOOL_RESULTS]` +
    `{% elif m.tool_calls %}{% for call in m.tool_calls %}{% if call.id | length != 9 %}{{ raise_exception('Tool call IDs should be alphanumeric strings with length 9!') }}{% endif %}[TOOL_CALLS]{{ call.function | tojson }}{% endfor %}{% else %}${turn}{% endif %}{% endfor %}${begin}`,
  /** Qwen3-VL Thinking: every prompt ends in an open thought. */
  alwaysThinks: `${eachTurn}${begin}<think>\n`,
  /** Qwen3.5: thinks unless it is told not to. */
  mayThink: `${eachTurn}${begin}{% if enable_thinking %}<think>\n{% else %}<think>\n\n</think>\n\n{% endif %}`,
  undefinedValue: `{{ messages[0].there.is.none }}`,
  endless: `{% for i in range(99999) %}{% for j in range(99999) %}{% set x = 1 %}{% endfor %}{% endfor %}`,
  /** Shows only the question: a text after which nothing can go on. */
  lastQuestion: `{{ (messages | selectattr('role', 'equalto', 'user') | list | last).content }}${begin}`,
} as const;
