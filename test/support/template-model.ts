import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type ChangedModel, changedModel } from './changed-model.ts';

/** A copy of the demo model with another chat template. */
export const createTemplateModel = (template: string): Promise<ChangedModel> =>
  changedModel((folder) => writeFile(join(folder, 'chat_template.jinja'), template));

const turn = `<|im_start|>{{ m.role }}
{% if m.content is string %}{{ m.content | trim }}{% else %}{% for c in m.content %}{% if c.type == 'image' %}<|vision_start|><|image_pad|><|vision_end|>{% elif c.type == 'text' %}{{ c.text | trim }}{% endif %}{% endfor %}{% endif %}<|im_end|>
`;
const begin = `{% if add_generation_prompt %}<|im_start|>assistant
{% endif %}`;
const refusesSystem = `{% if messages[0].role == 'system' %}{{ raise_exception('System role not supported') }}{% endif %}`;
const alternates = `{% if (m.role == 'user') != (loop.index0 % 2 == 0) %}{{ raise_exception('Conversation roles must alternate user/assistant/user/assistant/...') }}{% endif %}`;
const fails = `{% if 'fail: undefined' in messages | string %}{{ messages[0].there.is.none }}{% elif 'fail: endless' in messages | string %}{% for i in range(99999) %}{% for j in range(99999) %}{% set x = 1 %}{% endfor %}{% endfor %}{% endif %}`;
const eachTurn = `{% for m in messages %}${turn}{% endfor %}`;

/** Templates that behave like those of popular models. */
export const templates = {
  /** Gemma 2: no system, no tools, roles alternate. */
  strict: `${refusesSystem}{% for m in messages %}${alternates}${turn}{% endfor %}${begin}`,
  /** SmolVLM2: shows every role, knows no tools. Fails if a message requests it. */
  plain: `${fails}${eachTurn}${begin}`,
  /** Mistral: tools of its own form, ids of nine characters. */
  mistral:
    `{% if tools %}[AVAILABLE_TOOLS]{{ tools | tojson }}[/AVAILABLE_TOOLS]{% endif %}{% for m in messages %}` +
    `{% if m.role == 'tool' %}{% if m.tool_call_id | length != 9 %}{{ raise_exception('Tool call IDs should be alphanumeric strings with length 9!') }}{% endif %}[TOOL_RESULTS]{{ m.content }}[/TOOL_RESULTS]` +
    `{% elif m.tool_calls %}{% for call in m.tool_calls %}{% if call.id | length != 9 %}{{ raise_exception('Tool call IDs should be alphanumeric strings with length 9!') }}{% endif %}[TOOL_CALLS]{{ call.function | tojson }}{% endfor %}{% else %}${turn}{% endif %}{% endfor %}${begin}`,
  /** Qwen3-VL Thinking: every prompt ends in an open thought. */
  alwaysThinks: `${eachTurn}${begin}<think>\n`,
  /** Qwen3.5: thinks unless it is turned off. */
  mayThink: `${eachTurn}${begin}{% if enable_thinking %}<think>\n{% else %}<think>\n\n</think>\n\n{% endif %}`,
  /** Shows only the question, so that no answer can be continued. */
  lastQuestion: `{{ (messages | selectattr('role', 'equalto', 'user') | list | last).content }}${begin}`,
} as const;
