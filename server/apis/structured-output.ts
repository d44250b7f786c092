import { z } from 'zod';
import { InvalidRequestError } from '../errors.ts';
import { type PreparedSchema, prepareSchema } from '../generation/schema.ts';
import { GRAMMAR } from '../generation/tools.ts';
import { MAX_GRAMMAR_CHARACTERS, MAX_LIST_ITEMS } from '../limits.ts';
import { alias, JsonSchema, refused } from './fields.ts';
import type { IgnoredFields } from './parse-body.ts';

/** An empty string means not set, as llama.cpp's clients send it. */
const text = z.string().max(MAX_GRAMMAR_CHARACTERS);
const choice = z
  .array(z.string())
  .min(1)
  .max(MAX_LIST_ITEMS)
  .refine((choices) => choices.join('').length <= MAX_GRAMMAR_CHARACTERS, {
    error: `choices of at most ${MAX_GRAMMAR_CHARACTERS} characters`,
  });
const json = z.union([JsonSchema, z.string().transform(parseSchema).pipe(JsonSchema)], {
  error: 'a JSON Schema',
});

/** The counterparts of `response_format` in vLLM, llama.cpp and Ollama. */
export const structuredOutput = {
  structured_outputs: alias(
    z.object({
      json: json.nullish(),
      regex: text.nullish(),
      choice: choice.nullish(),
      grammar: text.nullish(),
      json_object: z.boolean().nullish(),
      structural_tag: refused('structural tags are not supported'),
    }),
    'vLLM’s: one of `json`, `regex`, `choice`, `grammar` (GBNF or Lark), `json_object`',
  ),
  guided_json: alias(json, 'vLLM’s: a JSON schema'),
  guided_regex: alias(text, 'vLLM’s'),
  guided_choice: alias(choice, 'vLLM’s'),
  guided_grammar: alias(text, 'vLLM’s: GBNF or Lark'),
  json_schema: alias(json, 'llama.cpp’s: a JSON schema'),
  grammar: alias(text, 'llama.cpp’s: GBNF'),
  format: alias(z.union([z.enum(['json', '']), json]), 'Ollama’s: `json` or a JSON schema'),
};
const Fields = z.object(structuredOutput);
export type StructuredOutput = Partial<z.infer<typeof Fields>>;

/** A schema or grammar that the answer must match, and its field in the request. */
interface Constraint {
  param: string;
  /** The path of the schema, if it is not `param`. */
  path?: string;
  format:
    | { type: 'json'; schema: unknown; strict?: boolean | null | undefined }
    | { type: 'json_object' }
    | { type: 'regex' | 'grammar'; text: string }
    | { type: 'choice'; choices: readonly string[] };
}

/** The `response_format` of any API. Some put the schema directly in it. */
export type Format =
  | { type: 'text' }
  | { type: 'json_object'; schema?: unknown }
  | { type: 'json_schema'; schema: unknown; strict?: boolean | null | undefined };

/**
 * Converts the format of the answer to mlx_vlm's `response_format`. Reports schema keywords that are
 * not enforced as ignored.
 * @throws InvalidRequestError if two formats are set, or a schema cannot be enforced
 */
export function toResponseFormat(
  request: StructuredOutput,
  format: Format | undefined,
  paths: { format: string; schema: string },
  ignored: IgnoredFields,
) {
  const [first, second] = [...fromFormat(format, paths), ...fromOtherServers(request)];
  if (first !== undefined && second !== undefined) {
    throw new InvalidRequestError(
      `\`${first.param}\` and \`${second.param}\` both set the format of the answer. Send only one.`,
      { param: second.param },
    );
  }
  if (first === undefined) return { parameters: {}, param: paths.format };
  const value = toRuntimeFormat(first, ignored);
  return { parameters: { response_format: value }, param: first.param };
}

function fromFormat(
  format: Format | undefined,
  paths: { format: string; schema: string },
): Constraint[] {
  if (format === undefined || format.type === 'text') return [];
  const { type, schema } = format;
  if (type === 'json_schema') {
    const { strict } = format;
    return [{ param: paths.format, path: paths.schema, format: { type: 'json', schema, strict } }];
  }
  if (schema == null) return [{ param: paths.format, format: { type: 'json_object' } }];
  return [{ param: `${paths.format}.schema`, format: { type: 'json', schema } }];
}

function fromOtherServers(request: StructuredOutput): Constraint[] {
  const outputs = request.structured_outputs;
  const schemas = {
    'structured_outputs.json': outputs?.json,
    guided_json: request.guided_json,
    json_schema: request.json_schema,
    format: typeof request.format === 'string' ? null : request.format,
  };
  const regexes = {
    'structured_outputs.regex': outputs?.regex,
    guided_regex: request.guided_regex,
  };
  const grammars = {
    'structured_outputs.grammar': outputs?.grammar,
    guided_grammar: request.guided_grammar,
    grammar: request.grammar,
  };
  const choices = {
    'structured_outputs.choice': outputs?.choice,
    guided_choice: request.guided_choice,
  };
  const setIn = <Value>(fields: Record<string, Value | null | undefined>) =>
    Object.entries(fields).flatMap(([param, value]) =>
      value == null || value === '' ? [] : [{ param, value }],
    );
  return [
    ...setIn(schemas).map(({ param, value }) =>
      toConstraint(param, { type: 'json', schema: value }),
    ),
    ...setIn(regexes).map(({ param, value }) =>
      toConstraint(param, { type: 'regex', text: value }),
    ),
    ...setIn(grammars).map(({ param, value }) =>
      toConstraint(param, { type: 'grammar', text: value }),
    ),
    ...setIn(choices).map(({ param, value }) =>
      toConstraint(param, { type: 'choice', choices: value }),
    ),
    ...(outputs?.json_object === true
      ? [toConstraint('structured_outputs.json_object', { type: 'json_object' })]
      : []),
    ...(request.format === 'json' ? [toConstraint('format', { type: 'json_object' })] : []),
  ];
}

function toConstraint(param: string, format: Constraint['format']): Constraint {
  return { param, format };
}

function toRuntimeFormat(
  { param, path = param, format }: Constraint,
  ignored: IgnoredFields,
): object {
  switch (format.type) {
    case 'json_object':
      return { type: 'json_object' };
    case 'json': {
      const strict = format.strict === true;
      const prepared = prepareSchema(format.schema, { path, param, strict });
      if (prepared.schema === false) {
        throw new InvalidRequestError(
          `No value can match the schema in \`${param}\`. Its keywords contradict each other.`,
          { param },
        );
      }
      ignored.addJoined(prepared.ignored);
      return jsonFormat(prepared);
    }
    case 'regex':
    case 'grammar':
      return grammarFormat(format.type, format.text);
    case 'choice':
      return grammarFormat('choice', JSON.stringify(format.choices));
    default:
      return format satisfies never;
  }
}

function jsonFormat({ schema, definitions }: PreparedSchema) {
  const whole = typeof schema === 'boolean' ? {} : schema;
  const json_schema = { name: 'answer', schema: { ...whole, $defs: definitions } };
  return { type: 'json_schema', json_schema };
}

function grammarFormat(kind: 'regex' | 'grammar' | 'choice', text: string) {
  const json_schema = { name: 'answer', schema: { [GRAMMAR]: [kind, text] } };
  return { type: 'json_schema', json_schema };
}

function parseSchema(text: string, context: z.RefinementCtx): unknown {
  try {
    return JSON.parse(text);
  } catch {
    context.addIssue({ code: 'custom', message: 'a JSON Schema' });
    return z.NEVER;
  }
}
