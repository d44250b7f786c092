import { z } from 'zod';
import { InvalidRequestError } from '../errors.ts';
import { joinLastText, type Message } from '../generation/conversation.ts';
import type { ThinkingFields } from '../generation/request.ts';
import { MAX_STOP_SEQUENCES, MAX_TEMPLATE_KWARGS } from '../limits.ts';
import {
  gateway,
  ignored,
  record,
  refusedOfOthers as refused,
  runtime,
  spelling,
} from './fields.ts';
import { isTemplateName, mlxParameters, PredictLimit, Seed, TokenLimit } from './parameters.ts';
import type { IgnoredFields } from './parse-body.ts';
import { structuredOutput } from './structured-output.ts';

// Parameters that vLLM, SGLang, llama.cpp, LM Studio, Ollama and OpenRouter document besides OpenAI's.
// All three APIs accept them, since clients of local servers send them to any of these.

export const ReasoningEffort = z.enum(['none', 'minimal', 'low', 'medium', 'high', 'xhigh', 'max']);

const StopSequence = z.string().min(1);
export const StopSequences = z.union([StopSequence, z.array(StopSequence).max(MAX_STOP_SEQUENCES)]);
const penalty = z.number().min(-2).max(2);
const TokenId = z.string().regex(/^\d{1,9}$/, { error: 'a token id' });

/** OpenAI's penalties and biases, accepted by every API. */
export const penalties = {
  presence_penalty: runtime(penalty),
  frequency_penalty: runtime(penalty),
  logit_bias: runtime(record(TokenId, z.number().min(-100).max(100))),
};

export const ThinkingBudget = z.int().min(1).max(1_000_000);
export const Reasoning = z.object({
  effort: ReasoningEffort.nullish(),
  enabled: z.boolean().nullish(),
  max_tokens: ThinkingBudget.nullish(),
});
const Thinking = z.union([
  z.boolean(),
  z.object({
    type: z.enum(['enabled', 'disabled', 'adaptive', 'auto', 'between_tools']),
    budget_tokens: ThinkingBudget.nullish(),
  }),
]);

/** Other spellings of what is honoured here. */
const spellings = {
  max_tokens: spelling(TokenLimit, 'like the API’s own limit'),
  max_completion_tokens: spelling(TokenLimit, 'like the API’s own limit'),
  max_output_tokens: spelling(TokenLimit, 'like the API’s own limit'),
  num_predict: spelling(PredictLimit, 'Ollama’s limit of tokens; -1 and -2 mean no limit'),
  n_predict: spelling(PredictLimit, 'llama.cpp’s limit of tokens; -1 and -2 mean no limit'),
  stop: spelling(StopSequences, 'up to 64; never part of the answer, not even partly'),
  stop_sequences: spelling(StopSequences, 'like `stop`'),
  seed: gateway(Seed, 'signed, 64 bits; a random one is used if none is given'),
  repeat_penalty: spelling(z.number().gt(0).max(10), 'like `repetition_penalty`'),
  repeat_last_n: spelling(
    z.int().min(-1).max(1_000_000),
    'like `repetition_context_size`; -1 is the whole context, 0 turns the penalty off',
  ),
  reasoning_effort: spelling(ReasoningEffort, 'for models that think'),
  reasoning: spelling(Reasoning, 'OpenRouter’s: `effort`, `enabled`, `max_tokens`'),
  thinking: spelling(Thinking, 'true or false, or `type` and `budget_tokens`'),
  think: spelling(z.union([z.boolean(), ReasoningEffort]), 'Ollama’s: true, false or an effort'),
  thinking_budget_tokens: spelling(ThinkingBudget, 'like `thinking_budget`'),
  thinking_token_budget: spelling(ThinkingBudget, 'like `thinking_budget`'),
  continue_final_message: spelling(
    z.boolean(),
    'vLLM’s: the last message, the assistant’s, is continued, and the answer is what follows it',
  ),
  add_generation_prompt: spelling(
    z.boolean(),
    'false only with `continue_final_message`; the model always answers',
  ),
  chat_template_kwargs: spelling(
    record(z.string(), z.unknown()),
    `up to ${MAX_TEMPLATE_KWARGS} numbers, strings and booleans whose names the model’s template ` +
      'uses. Never `chat_template`, `tools`, `documents` or anything else that would replace the ' +
      'conversation or change how it is rendered. The rest is ignored and reported',
  ),
};

const speed = 'a hint about speed or memory';
const sampler = 'a sampler that mlx_vlm does not have';
const shown = 'the fields of a response are fixed';
const routing = 'there is only one model, on this Mac';

/** Hints: an answer without them is as correct. */
const hints = {
  verbosity: ignored('ask for it in the prompt', z.literal('medium')),
  keep_alive: ignored('Ollama’s; see `--idle-unload`'),
  ttl: ignored('LM Studio’s; see `--idle-unload`'),
  options: ignored('it belongs to Ollama’s own API; send its fields beside `messages`'),
  num_ctx: ignored('the context is the model’s own'),
  context_length: ignored('the context is the model’s own'),
  num_keep: ignored('a conversation is never shortened'),
  n_keep: ignored('a conversation is never shortened'),
  context_management: ignored('a conversation is never shortened'),
  transforms: ignored('a conversation is never shortened'),
  truncate: ignored('a conversation is never shortened'),
  num_gpu: ignored(speed),
  num_thread: ignored(speed),
  num_batch: ignored(speed),
  cache_prompt: ignored(speed),
  cache_salt: ignored(speed),
  n_cache_reuse: ignored(speed),
  id_slot: ignored(speed),
  slot_id: ignored(speed),
  priority: ignored(speed),
  draft_model: ignored(speed),
  t_max_predict_ms: ignored(speed),
  top_a: ignored(sampler),
  tfs_z: ignored(sampler),
  mirostat: ignored(sampler),
  mirostat_tau: ignored(sampler),
  mirostat_eta: ignored(sampler),
  dynatemp_range: ignored(sampler),
  dynatemp_exponent: ignored(sampler),
  xtc_probability: ignored(sampler),
  xtc_threshold: ignored(sampler),
  dry_multiplier: ignored(sampler),
  dry_base: ignored(sampler),
  dry_allowed_length: ignored(sampler),
  dry_penalty_last_n: ignored(sampler),
  dry_sequence_breakers: ignored(sampler),
  samplers: ignored(sampler),
  min_keep: ignored(sampler),
  length_penalty: ignored(sampler),
  early_stopping: ignored(sampler),
  n_probs: ignored('send `logprobs` and `top_logprobs`'),
  timings_per_token: ignored(shown),
  return_progress: ignored(shown),
  return_token_ids: ignored(shown),
  return_tokens_as_token_ids: ignored(shown),
  include_reasoning: ignored('reasoning is always separate from the answer'),
  separate_reasoning: ignored('reasoning is always separate from the answer'),
  reasoning_format: ignored('reasoning is always separate from the answer'),
  parse_tool_calls: ignored('they are always parsed'),
  skip_special_tokens: ignored('special tokens are never shown'),
  spaces_between_special_tokens: ignored('special tokens are never shown'),
  add_special_tokens: ignored('the model’s template decides'),
  mm_processor_kwargs: ignored('see `min_pixels`, `max_pixels` and `resize_shape`'),
  usage: ignored('the usage is always returned; see `stream_options`'),
  provider: ignored(routing),
  models: ignored(routing),
  route: ignored(routing),
  preset: ignored(routing),
  request_id: ignored('send the header `x-request-id`'),
  client_metadata: ignored('it only has a meaning at OpenAI'),
};

const isFalse = (value: unknown) => value === false;
const isZero = (value: unknown) => value === 0;
const isOne = (value: unknown) => value === 1;
const isEmpty = (value: unknown) => Array.isArray(value) && value.length === 0;
const tokens = 'answers cannot be restricted to tokens; see `logit_bias`';

/** What would change the answer and is not supported. Values that ask for nothing are accepted. */
const unsupported = {
  echo: refused('the prompt is never repeated', isFalse),
  ignore_eos: refused('the model decides where an answer ends', isFalse),
  min_tokens: refused('the model decides where an answer ends', isZero),
  use_beam_search: refused('beam search is not supported', isFalse),
  best_of: refused('every answer is returned; send `n`', isOne),
  stop_token_ids: refused('send `stop`', isEmpty),
  bad_words: refused('send `logit_bias`', isEmpty),
  allowed_token_ids: refused(tokens, isEmpty),
  include_stop_str_in_output: refused('a stop sequence is never shown', isFalse),
  prompt_logprobs: refused('logprobs of the prompt are not supported', isZero),
  truncate_prompt_tokens: refused('a conversation is never shortened'),
  chat_template: refused('the model’s own template is always used'),
  template: refused('the model’s own template is always used'),
  raw: refused('the model’s own template is always used', isFalse),
  documents: refused('send them as text in a message', isEmpty),
  adapter_path: refused('adapters are not supported'),
  adapters: refused('adapters are not supported', isEmpty),
  lora: refused('adapters are not supported', isEmpty),
  logits_processors: refused('requests cannot include code', isEmpty),
  prompt_embeds: refused('send messages'),
};

/** All of it. An API's own parameters replace those of the same name. */
export const otherServers = {
  ...mlxParameters,
  ...penalties,
  ...spellings,
  ...structuredOutput,
  ...hints,
  ...unsupported,
};

type Shape = typeof spellings & typeof mlxParameters;
export type OtherSpellings = { [Name in keyof Shape]?: z.infer<Shape[Name]> | undefined };
type Scalar = string | number | boolean;

/** What other spellings ask for, under mlx_vlm's names. */
export interface Wishes {
  parameters: Record<string, unknown>;
  templateKwargs: Record<string, Scalar>;
  thinkingFields: ThinkingFields;
}

/**
 * Reads other spellings of mlx_vlm's parameters. `own` is what the API's own parameters ask for: it
 * takes precedence, and a spelling that contradicts it is reported as ignored. `fields` are the API's
 * own fields of thinking, where they have other names than mlx_vlm's.
 */
export function readSpellings(
  request: OtherSpellings,
  own: Readonly<Record<string, unknown>>,
  ignored: IgnoredFields,
  fields: ThinkingFields = {},
): Wishes {
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

const THINKING = ['enable_thinking', 'reasoning_effort', 'thinking_budget'] as const;
const isThinkingName = (name: string) => THINKING.some((each) => each === name);

interface ContinuationFields {
  continue_final_message?: boolean | null | undefined;
  add_generation_prompt?: boolean | null | undefined;
}

/**
 * The conversation as it is asked, and the field that asks for its last message to be continued:
 * `continue_final_message`, or the API itself, whose name for the messages `byDefault` is.
 * @throws InvalidRequestError if the last message cannot be continued, or no answer is asked for
 */
export function readContinuation(
  { continue_final_message: asked, add_generation_prompt: begins }: ContinuationFields,
  messages: readonly Message[],
  byDefault?: string,
): { messages: readonly Message[]; continuationParam: string | undefined } {
  const continued = joinLastText(messages);
  const isPrefill = asked == null && byDefault !== undefined && continued !== undefined;
  if (asked !== true && !isPrefill) {
    if (begins !== false) return { messages, continuationParam: undefined };
    throw new InvalidRequestError(
      'Expected `add_generation_prompt` to be true or left out: the model always answers. To have ' +
        'the last message continued, send `continue_final_message: true` too.',
      { param: 'add_generation_prompt' },
    );
  }
  if (begins === true) {
    throw new InvalidRequestError(
      'Expected `add_generation_prompt` to be false or left out: the last message is continued.',
      { param: 'add_generation_prompt' },
    );
  }
  if (continued === undefined) {
    throw new InvalidRequestError(
      'Expected the last message to be a text of the assistant, without calls, as ' +
        '`continue_final_message` is true.',
      { param: 'continue_final_message', code: 'cannot_continue' },
    );
  }
  return {
    messages: continued,
    continuationParam: isPrefill ? byDefault : 'continue_final_message',
  };
}

/** Keys of `chat_template_kwargs` that mean a parameter of the request. */
const ALSO_PARAMETERS: ReadonlyMap<string, z.ZodType> = new Map<string, z.ZodType>([
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
    if (ALSO_PARAMETERS.get(name)?.safeParse(value).success) take(path, name, value);
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

/** The API's own limit, or else the first other one that is given; undefined is no limit. */
export function readTokenLimit(
  request: OtherSpellings,
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

/** The stop sequences under the API's own name, or else under the other one. */
export function readStops(
  request: Pick<OtherSpellings, 'stop' | 'stop_sequences'>,
  own: 'stop' | 'stop_sequences',
  ignored: IgnoredFields,
): readonly string[] {
  const other = own === 'stop' ? 'stop_sequences' : 'stop';
  if (request[own] != null && request[other] != null) ignored.add(other);
  return [request[own] ?? request[other] ?? []].flat();
}
