import { z } from 'zod';
import { FunctionName } from '../client-tool.ts';
import { repeated } from '../fields.ts';

// Tools that Anthropic defines and the client runs. Clients send no schema for them, because Claude is
// trained on them, but other models need one. The schemas follow Anthropic's documentation and, for
// `memory`, its SDK. Toolsets, which contain several tools, are not supported.

const text = { type: 'string' };
const line = { type: 'integer', minimum: 0 };
const point = { type: 'array', items: { type: 'integer' }, minItems: 2, maxItems: 2 };

function schema(properties: Record<string, object>, ...required: string[]) {
  return { type: 'object', properties, required, additionalProperties: false };
}

const edits = {
  path: { ...text, description: 'The path of the file, or of a folder to view.' },
  view_range: { ...point, description: 'view: the first and last line; -1 means the end.' },
  file_text: { ...text, description: 'create: the content of the file.' },
  old_str: {
    ...text,
    description: 'str_replace: the text to replace. It must occur exactly once.',
  },
  new_str: { ...text, description: 'str_replace: the new text.' },
  insert_line: {
    ...line,
    description: 'insert: the line after which to insert; 0 means the start.',
  },
};
const insert_text = { ...text, description: 'insert: the text to insert.' };
const clicks = ['left_click', 'right_click', 'middle_click', 'double_click', 'left_click_drag'];
const actions = ['key', 'type', 'mouse_move', ...clicks, 'screenshot', 'cursor_position'];
const laterActions = ['triple_click', 'left_mouse_down', 'left_mouse_up', 'scroll', 'hold_key'];

interface Kind {
  description: string;
  parameters: (version: string) => Record<string, unknown>;
}

/** Tools by their type without the date, which is the version. */
const KINDS: Readonly<Record<string, Kind>> = {
  bash: {
    description: 'Runs a command in a bash session that keeps its state.',
    parameters: () => schema({ command: text, restart: { type: 'boolean' } }),
  },
  text_editor: {
    description: 'Views, creates and edits files.',
    parameters: (version) => {
      const commands = ['view', 'create', 'str_replace', 'insert'];
      const isOld = version < '20250429';
      const command = { enum: isOld ? [...commands, 'undo_edit'] : commands };
      // Earlier versions insert `new_str`.
      const inserted = version < '20250728' ? {} : { insert_text };
      return schema({ command, ...edits, ...inserted }, 'command', 'path');
    },
  },
  memory: {
    description: 'Stores notes as files in /memories for later conversations.',
    parameters: () =>
      schema(
        {
          command: { enum: ['view', 'create', 'str_replace', 'insert', 'delete', 'rename'] },
          ...edits,
          insert_text,
          old_path: { ...text, description: 'rename: the file or folder.' },
          new_path: { ...text, description: 'rename: its new path.' },
        },
        'command',
      ),
  },
  computer: {
    description: 'Uses the screen, mouse and keyboard of a computer.',
    parameters: (version) => {
      const isOld = version < '20250124';
      const hasZoom = version >= '20251124';
      const later = isOld ? [] : [...laterActions, 'wait'];
      const zoomed = hasZoom ? ['zoom'] : [];
      return schema(
        {
          action: { enum: [...actions, ...later, ...zoomed] },
          coordinate: { ...point, description: 'x and y in pixels.' },
          text: { ...text, description: 'The text to type, or the keys to press.' },
          ...(isOld
            ? {}
            : {
                start_coordinate: {
                  ...point,
                  description: 'left_click_drag: the start, as x and y in pixels.',
                },
                scroll_direction: { enum: ['up', 'down', 'left', 'right'] },
                scroll_amount: line,
                duration: { type: 'number', minimum: 0, description: 'In seconds.' },
              }),
          ...(hasZoom ? { region: { ...point, minItems: 4, maxItems: 4 } } : {}),
        },
        'action',
      );
    },
  },
};

/** One of these tools in a request. Anthropic prescribes its `name`. */
export const AnthropicClientTool = z.object({
  type: z.string().refine(isClientTool, { error: 'the type of a tool' }),
  name: FunctionName,
  display_width_px: z.int().min(1).nullish(),
  display_height_px: z.int().min(1).nullish(),
  cache_control: repeated,
});

export function isClientTool(type: string): boolean {
  return kindOf(type) !== undefined;
}

/** The description and parameters of the tool for the model. */
export function describeTool({ type, display_width_px, display_height_px }: AnthropicClientTool) {
  const found = kindOf(type);
  if (found === undefined) throw new TypeError(`Unknown tool type: ${type}`);
  const [kind, version] = found;
  const size =
    display_width_px == null || display_height_px == null
      ? ''
      : ` Its screen has ${display_width_px} × ${display_height_px} pixels.`;
  return { description: kind.description + size, parameters: kind.parameters(version) };
}
type AnthropicClientTool = z.infer<typeof AnthropicClientTool>;

function kindOf(type: string): [Kind, version: string] | undefined {
  const [, name = '', version = ''] = /^([a-z_]+)_(\d{8})$/.exec(type) ?? [];
  const kind = Object.hasOwn(KINDS, name) ? KINDS[name] : undefined;
  return kind === undefined ? undefined : [kind, version];
}
