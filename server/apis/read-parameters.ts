import { z } from 'zod';
import { InvalidRequestError } from '../errors.ts';
import { joinLastText, type Message } from '../generation/conversation.ts';
import type { GenerationRequest, ThinkingFields } from '../generation/request.ts';
import { MAX_TEMPLATE_KWARGS } from '../limits.ts';
import type { ReadyLine, TemplateFacts } from '../runtime/protocol.ts';
import { type CommonParameters, ReasoningEffort, ThinkingBudget } from './parameters.ts';
import type { IgnoredFields } from './parse-body.ts';

/** The names of the parameters that are forwarded to the runtime unchanged. */
export function runtimeParameters(schema: z.ZodObject): readonly string[] {
  return Object.entries(schema.shape)
    .filter(([, parameter]) => (parameter as z.ZodType).meta()?.['effect'] === 'runtime')
    .map(([name]) => name);
}

/** The fields of `request` that are set and listed in `names`. */
export function pick(request: object, names: readonly string[]): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(request).filter(([name, value]) => names.includes(name) && value != null),
  );
}

type Scalar = string | number | boolean;

/** Parameters by mlx_vlm's names. */
export interface RuntimeParameters {
  parameters: Record<string, unknown>;
  templateKwargs: Record<string, Scalar>;
  thinkingFields: ThinkingFields;
}

/**
 * Converts other names of parameters to mlx_vlm's. The API's own parameters, in `own`, take precedence,
 * and parameters that contradict them are reported as ignored. `fields` are the paths of the API's
 * own thinking parameters, if they differ from mlx_vlm's names.
 */
export function readAliases(
  request: CommonParameters,
  own: Readonly<Record<string, unknown>>,
  ignored: IgnoredFields,
  fields: ThinkingFields = {},
): RuntimeParameters {
  const parameters: Record<string, unknown> = { ...own };
  const thinkingFields: Record<string, readonly string[]> = {};
  for (const name of THINKING) {
    if (own[name] !== undefined) thinkingFields[name] = fields[name] ?? [name];
  }
  const take = (path: readonly string[], name: string, value: unknown) => {
    if (value == null) return;
    if (parameters[name] === undefined) {
      parameters[name] = value;
      if (isThinkingName(name)) thinkingFields[name] = path;
    } else if (parameters[name] !== value) ignored.add(...path);
  };
  const { reasoning, thinking, think, repeat_last_n } = request;
  take(['repeat_penalty'], 'repetition_penalty', request.repeat_penalty);
  if (repeat_last_n === 0) parameters['repetition_penalty'] = 1;
  else {
    const size = repeat_last_n === -1 ? 1_000_000 : repeat_last_n;
    take(['repeat_last_n'], 'repetition_context_size', size);
  }
  take(['reasoning_effort'], 'reasoning_effort', request.reasoning_effort);
  take(['reasoning', 'effort'], 'reasoning_effort', reasoning?.effort);
  take(['reasoning', 'enabled'], 'enable_thinking', reasoning?.enabled);
  take(['reasoning', 'max_tokens'], 'thinking_budget', reasoning?.max_tokens);
  const isThinking =
    typeof thinking === 'object' ? thinking && thinking.type !== 'disabled' : thinking;
  take(['thinking'], 'enable_thinking', isThinking);
  if (typeof thinking === 'object') {
    take(['thinking', 'budget_tokens'], 'thinking_budget', thinking?.budget_tokens);
  }
  take(['think'], typeof think === 'boolean' ? 'enable_thinking' : 'reasoning_effort', think);
  take(['thinking_budget_tokens'], 'thinking_budget', request.thinking_budget_tokens);
  take(['thinking_token_budget'], 'thinking_budget', request.thinking_token_budget);
  const templateKwargs = readTemplateKwargs(request.chat_template_kwargs, take, ignored);
  return { parameters, templateKwargs, thinkingFields };
}

/** mlx_vlm's thinking parameters. */
const THINKING = ['enable_thinking', 'reasoning_effort', 'thinking_budget'] as const;
const isThinkingName = (name: string) => THINKING.some((each) => each === name);

interface ContinuationFields {
  continue_final_message?: boolean | null | undefined;
  add_generation_prompt?: boolean | null | undefined;
}

/**
 * Returns the conversation and the field that requests continuing its last message, if any. That is
 * `continue_final_message` or, in an API that always continues an assistant message, `messagesParam`.
 * @throws InvalidRequestError if the last message cannot be continued, or the fields conflict
 */
export function readContinuation(
  { continue_final_message: continues, add_generation_prompt: addsPrompt }: ContinuationFields,
  messages: readonly Message[],
  messagesParam?: string,
): { messages: readonly Message[]; continuationParam: string | undefined } {
  const continued = joinLastText(messages);
  const isPrefill = continues == null && messagesParam !== undefined && continued !== undefined;
  if (continues !== true && !isPrefill) {
    if (addsPrompt !== false) return { messages, continuationParam: undefined };
    throw new InvalidRequestError(
      '`add_generation_prompt` must be true or left out, because the model always answers. To ' +
        'continue the last message, also send `continue_final_message: true`.',
      { param: 'add_generation_prompt' },
    );
  }
  if (addsPrompt === true) {
    throw new InvalidRequestError(
      '`add_generation_prompt` must be false or left out when the last message is continued.',
      { param: 'add_generation_prompt' },
    );
  }
  if (continued === undefined) {
    throw new InvalidRequestError(
      'The last message cannot be continued: `continue_final_message` requires an assistant message ' +
        'with text and without tool calls.',
      { param: 'continue_final_message', code: 'cannot_continue' },
    );
  }
  return {
    messages: continued,
    continuationParam: isPrefill ? messagesParam : 'continue_final_message',
  };
}

/**
 * Names that clients may not set in `chat_template_kwargs`, because they would replace the
 * conversation, the template, a function that templates call, or options of mlx_vlm and transformers.
 * Allowing them was a vulnerability in vLLM (vllm#25794).
 */
const BLOCKED: ReadonlySet<string> = new Set([
  'add_generation_prompt',
  'audio',
  'chat_template',
  'config',
  'continue_final_message',
  'conversation',
  'cycler',
  'dict',
  'documents',
  'images',
  'joiner',
  'lipsum',
  'max_length',
  'messages',
  'model_name',
  'model_type',
  'namespace',
  'num_audios',
  'num_images',
  'padding',
  'processor',
  'prompt',
  'raise_exception',
  'range',
  'role',
  'self',
  'strftime_now',
  'tokenize',
  'tool_choice',
  'tools',
  'truncation',
  'video',
  'videos',
]);

function isTemplateName(name: string): boolean {
  return (
    /^[a-z][a-z0-9_]{0,99}$/i.test(name) &&
    !BLOCKED.has(name) &&
    !/^return_|_kwargs$|_token$/.test(name)
  );
}

/** Keys of `chat_template_kwargs` that are also parameters of mlx_vlm. */
const PARAMETER_KWARGS: ReadonlyMap<string, z.ZodType> = new Map<string, z.ZodType>([
  ['enable_thinking', z.boolean()],
  ['reasoning_effort', ReasoningEffort],
  ['thinking_budget', ThinkingBudget],
]);

function readTemplateKwargs(
  kwargs: Readonly<Record<string, unknown>> | null | undefined,
  take: (path: readonly string[], name: string, value: unknown) => void,
  ignored: IgnoredFields,
): Record<string, Scalar> {
  const forwarded: Record<string, Scalar> = {};
  let count = 0;
  for (const [name, value] of Object.entries(kwargs ?? {})) {
    const path = ['chat_template_kwargs', name];
    if (value === null) continue;
    if (PARAMETER_KWARGS.get(name)?.safeParse(value).success) take(path, name, value);
    else if (isScalar(value) && isTemplateName(name) && count < MAX_TEMPLATE_KWARGS) {
      forwarded[name] = value;
      count += 1;
    } else ignored.add(...path);
  }
  return forwarded;
}

function isScalar(value: unknown): value is Scalar {
  return typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean';
}

const TOKEN_LIMITS = [
  'max_completion_tokens',
  'max_tokens',
  'max_output_tokens',
  'num_predict',
  'n_predict',
] as const;

/** The API's own token limit, or the first other one that is set. Undefined means no limit. */
export function readTokenLimit(
  request: CommonParameters,
  own: (typeof TOKEN_LIMITS)[number],
  ignored: IgnoredFields,
): number | undefined {
  const names = [own, ...TOKEN_LIMITS.filter((name) => name !== own)];
  const [first, ...others] = names.filter((name) => request[name] != null);
  if (first === undefined) return undefined;
  for (const name of others) if (request[name] !== request[first]) ignored.add(name);
  const limit = request[first] ?? -1;
  return limit < 0 ? undefined : limit;
}

/** The stop sequences, by the API's own name or the other one. */
export function readStops(
  request: Pick<CommonParameters, 'stop' | 'stop_sequences'>,
  own: 'stop' | 'stop_sequences',
  ignored: IgnoredFields,
): readonly string[] {
  const other = own === 'stop' ? 'stop_sequences' : 'stop';
  if (request[own] != null && request[other] != null) ignored.add(other);
  return [request[own] ?? request[other] ?? []].flat();
}

/**
 * Removes what the loaded model's chat template does not support and reports it as ignored: unknown
 * `chat_template_kwargs`, and thinking that cannot be turned on or off. Reports tools only if the
 * template cannot show them even as text.
 */
export function adaptToTemplate(
  request: GenerationRequest,
  { template_names: names, template }: Pick<ReadyLine, 'template_names' | 'template'>,
  ignored: IgnoredFields,
): GenerationRequest {
  const used = Object.entries(request.templateKwargs).filter(([name]) => {
    if (names.includes(name)) return true;
    ignored.add('chat_template_kwargs', name);
    return false;
  });
  const parameters = { ...request.parameters };
  const reported: string[] = [];
  for (const name of unusedThinking(request, template)) {
    delete parameters[name];
    const path = request.thinkingFields[name] ?? [name];
    // A reported `thinking` includes its fields.
    if (reported.some((other) => path[0] === other)) continue;
    if (path.length === 1) reported.push(...path);
    ignored.add(...path);
  }
  if (template.tools === 'none' && request.tools?.choice === 'auto') ignored.add('tools');
  return { ...request, parameters, templateKwargs: Object.fromEntries(used) };
}

/** The thinking parameters that have no effect with this model. */
function unusedThinking(
  { parameters, continuationParam }: GenerationRequest,
  { thinking, reasoning_effort: knowsEffort }: TemplateFacts,
): (keyof ThinkingFields)[] {
  const { enable_thinking: enabled, reasoning_effort: effort, thinking_budget } = parameters;
  const requests = {
    enable_thinking: enabled as boolean | undefined,
    reasoning_effort: effort === undefined ? undefined : effort !== 'none',
    thinking_budget: thinking_budget === undefined ? undefined : true,
  };
  const isUnused = (name: keyof ThinkingFields): boolean => {
    const requested = requests[name];
    if (requested === undefined) return false;
    // A continued answer does not start with reasoning.
    if (thinking === 'none' || continuationParam !== undefined) return requested;
    if (thinking === 'optional') return false;
    return !requested || (name === 'reasoning_effort' && !knowsEffort);
  };
  return THINKING.filter(isUnused);
}
