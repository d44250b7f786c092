import { z } from 'zod';
import { InvalidRequestError } from '../errors.ts';
import { type PreparedSchema, prepareSchema } from '../generation/schema.ts';
import { GRAMMAR } from '../generation/tools.ts';
import { MAX_GRAMMAR_CHARACTERS, MAX_LIST_ITEMS } from '../limits.ts';
import { JsonSchema, refused, spelling } from './fields.ts';
import type { IgnoredFields } from './parse-body.ts';

/** Empty means none, as llama.cpp's own clients send it. */
const text = z.string().max(MAX_GRAMMAR_CHARACTERS);
const choice = z
  .array(z.string())
  .min(1)
  .max(MAX_LIST_ITEMS)
  .refine((choices) => choices.join('').length <= MAX_GRAMMAR_CHARACTERS, {
    error: `choices of at most ${MAX_GRAMMAR_CHARACTERS} characters`,
  });
const json = z.union([JsonSchema, z.string().transform(parsed).pipe(JsonSchema)], {
  error: 'a JSON Schema',
});

/** What other servers call `response_format`: vLLM's `structured_outputs` and `guided_…`, llama.cpp's. */
export const structuredOutput = {
  structured_outputs: spelling(
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
  guided_json: spelling(json, 'vLLM’s: a JSON schema'),
  guided_regex: spelling(text, 'vLLM’s'),
  guided_choice: spelling(choice, 'vLLM’s'),
  guided_grammar: spelling(text, 'vLLM’s: GBNF or Lark'),
  json_schema: spelling(json, 'llama.cpp’s: a JSON schema'),
  grammar: spelling(text, 'llama.cpp’s: GBNF'),
  format: spelling(z.union([z.enum(['json', '']), json]), 'Ollama’s: `json` or a JSON schema'),
};
const Fields = z.object(structuredOutput);
export type StructuredOutput = Partial<z.infer<typeof Fields>>;

/** A schema or grammar for the answer, and its place in the request. */
interface Asked {
  param: string;
  /** Where the schema is, if it is not at `param` itself. */
  path?: string;
  format:
    | { type: 'json'; schema: unknown; strict?: boolean | null | undefined }
    | { type: 'json_object' }
    | { type: 'regex' | 'grammar'; text: string }
    | { type: 'choice'; choices: readonly string[] };
}

/** `response_format` in any API: OpenAI's, or with the schema beside the type as elsewhere. */
export type Format =
  | { type: 'text' }
  | { type: 'json_object'; schema?: unknown }
  | { type: 'json_schema'; schema: unknown; strict?: boolean | null | undefined };

/**
 * The format of the answer, as mlx_vlm's `response_format`. Keywords of a schema that
 * are not enforced are reported as ignored.
 * @throws InvalidRequestError for two of them at once, and for a schema that cannot be enforced
 */
export function toResponseFormat(
  request: StructuredOutput,
  format: Format | undefined,
  at: { format: string; schema: string },
  ignored: IgnoredFields,
) {
  const asked = [...fromFormat(format, at), ...fromOtherServers(request)];
  const [first, second] = asked;
  if (first !== undefined && second !== undefined) {
    throw new InvalidRequestError(
      `\`${first.param}\` and \`${second.param}\` both set the format of the answer. Send only one.`,
      { param: second.param },
    );
  }
  if (first === undefined) return { parameters: {}, param: at.format };
  const value = toRuntimeFormat(first, ignored);
  return { parameters: { response_format: value }, param: first.param };
}

function fromFormat(format: Format | undefined, at: { format: string; schema: string }): Asked[] {
  if (format === undefined || format.type === 'text') return [];
  const { type, schema } = format;
  if (type === 'json_schema') {
    const { strict } = format;
    return [{ param: at.format, path: at.schema, format: { type: 'json', schema, strict } }];
  }
  if (schema == null) return [{ param: at.format, format: { type: 'json_object' } }];
  return [{ param: `${at.format}.schema`, format: { type: 'json', schema } }];
}

function fromOtherServers(request: StructuredOutput): Asked[] {
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
  const given = <Value>(fields: Record<string, Value | null | undefined>) =>
    Object.entries(fields).flatMap(([param, value]) =>
      value == null || value === '' ? [] : [{ param, value }],
    );
  return [
    ...given(schemas).map(({ param, value }) => asked(param, { type: 'json', schema: value })),
    ...given(regexes).map(({ param, value }) => asked(param, { type: 'regex', text: value })),
    ...given(grammars).map(({ param, value }) => asked(param, { type: 'grammar', text: value })),
    ...given(choices).map(({ param, value }) => asked(param, { type: 'choice', choices: value })),
    ...(outputs?.json_object === true
      ? [asked('structured_outputs.json_object', { type: 'json_object' })]
      : []),
    ...(request.format === 'json' ? [asked('format', { type: 'json_object' })] : []),
  ];
}

function asked(param: string, format: Asked['format']): Asked {
  return { param, format };
}

function toRuntimeFormat({ param, path = param, format }: Asked, ignored: IgnoredFields): object {
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

function parsed(text: string, context: z.RefinementCtx): unknown {
  try {
    return JSON.parse(text);
  } catch {
    context.addIssue({ code: 'custom', message: 'a JSON Schema' });
    return z.NEVER;
  }
}
