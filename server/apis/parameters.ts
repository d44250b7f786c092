import { z } from 'zod';
import { MAX_STOP_SEQUENCES, MAX_TEMPLATE_KWARGS } from '../limits.ts';
import { alias, gateway, ignored, record, refusedOfOthers as refused, runtime } from './fields.ts';
import { structuredOutput } from './structured-output.ts';

// The parameters that all APIs accept: OpenAI's, mlx_vlm's, and those of vLLM, SGLang, llama.cpp,
// LM Studio, Ollama and OpenRouter, because clients of local servers send them to any API.

const count = z.int().min(1).max(1_000_000);

/** OpenAI's sampling parameters, accepted by every API. */
export const sampling = {
  temperature: runtime(
    z.number().min(0).max(2),
    'the model’s default (from its `generation_config.json`), otherwise 0; 1 if `n` is greater than 1',
  ),
  top_p: runtime(z.number().min(0).max(1), '0 always selects the most likely token'),
};

const pixels = z.int().min(1).max(16_777_216);
const side = z.int().min(1).max(4096);

/** mlx_vlm's own parameters (`VLMRequest` in `mlx_vlm/server/schemas.py`). */
const mlxParameters = {
  top_k: runtime(
    z.int().min(-1).max(1_000_000),
    'at most the size of the vocabulary; 0 and -1 mean no limit',
  ),
  min_p: runtime(z.number().min(0).max(1)),
  top_n_sigma: runtime(z.number().min(0).max(100)),
  typical_p: runtime(z.number().gt(0).max(1)),
  p_less: runtime(z.boolean()),
  repetition_penalty: runtime(z.number().gt(0).max(10)),
  repetition_context_size: runtime(count),
  presence_context_size: runtime(count),
  frequency_context_size: runtime(count),
  enable_thinking: runtime(z.boolean(), 'for models whose thinking can be turned on and off'),
  thinking_budget: runtime(z.int().min(0).max(1_000_000), 'tokens'),
  thinking_start_token: runtime(z.string().min(1).max(100)),
  thinking_end_token: runtime(z.string().min(1).max(100)),
  resize_shape: runtime(
    z.array(side).min(1).max(2),
    '`[side]` or `[height, width]`, for models that do not choose the image size themselves',
  ),
  min_pixels: runtime(pixels, 'for models that choose the image size themselves'),
  max_pixels: runtime(pixels, 'for models that choose the image size themselves'),
};

/**
 * A signed 64-bit integer, as in OpenAI's API: a bigint beyond 2^53 (see `json-body.ts`). The limit is
 * compared as a double, since JavaScript clients write 2^63 - 1 as 9223372036854776000.
 */
export const Seed = z.custom<number | bigint>(
  (value) =>
    Number.isSafeInteger(value) ||
    (typeof value === 'bigint' && Math.abs(Number(value)) <= 2 ** 63),
  { error: 'a signed 64-bit integer' },
);

const noLimit = z.literal(-1);
/** A number of tokens of any size, since the context is a limit as well. -1 means no limit. */
export const TokenLimit = z.union([z.int().min(1), noLimit]);
/** Ollama's and llama.cpp's limit. -1 and -2 both mean the rest of the context. */
const PredictLimit = z.union([z.int().min(1), noLimit, z.literal(-2)]);

export const ReasoningEffort = z.enum(['none', 'minimal', 'low', 'medium', 'high', 'xhigh', 'max']);

const StopSequence = z.string().min(1);
export const StopSequences = z.union([StopSequence, z.array(StopSequence).max(MAX_STOP_SEQUENCES)]);
const penalty = z.number().min(-2).max(2);
const TokenId = z.string().regex(/^\d{1,9}$/, { error: 'a token id' });

/** OpenAI's penalties and biases. */
const penalties = {
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

/** Other names for supported parameters. */
const aliases = {
  max_tokens: alias(TokenLimit, 'like the API’s own limit'),
  max_completion_tokens: alias(TokenLimit, 'like the API’s own limit'),
  max_output_tokens: alias(TokenLimit, 'like the API’s own limit'),
  num_predict: alias(PredictLimit, 'Ollama’s token limit; -1 and -2 mean no limit'),
  n_predict: alias(PredictLimit, 'llama.cpp’s token limit; -1 and -2 mean no limit'),
  stop: alias(StopSequences, 'up to 64; the answer never contains any part of one'),
  stop_sequences: alias(StopSequences, 'like `stop`'),
  seed: gateway(Seed, 'a signed 64-bit integer; random by default'),
  repeat_penalty: alias(z.number().gt(0).max(10), 'like `repetition_penalty`'),
  repeat_last_n: alias(
    z.int().min(-1).max(1_000_000),
    'like `repetition_context_size`; -1 is the whole context, 0 turns the penalty off',
  ),
  reasoning_effort: alias(ReasoningEffort, 'for models that think'),
  reasoning: alias(Reasoning, 'OpenRouter’s: `effort`, `enabled`, `max_tokens`'),
  thinking: alias(Thinking, 'true or false, or `type` and `budget_tokens`'),
  think: alias(z.union([z.boolean(), ReasoningEffort]), 'Ollama’s: true, false or an effort'),
  thinking_budget_tokens: alias(ThinkingBudget, 'like `thinking_budget`'),
  thinking_token_budget: alias(ThinkingBudget, 'like `thinking_budget`'),
  continue_final_message: alias(
    z.boolean(),
    'vLLM’s: continues the last message, which must be the assistant’s; the answer is the continuation',
  ),
  add_generation_prompt: alias(
    z.boolean(),
    'false only with `continue_final_message`; the model always answers',
  ),
  chat_template_kwargs: alias(
    record(z.string(), z.unknown()),
    `up to ${MAX_TEMPLATE_KWARGS} numbers, strings and booleans that the model’s template uses, ` +
      'except names such as `chat_template`, `tools` and `documents` that would replace the ' +
      'conversation or change how it is rendered. Others are ignored and reported',
  ),
};

const speed = 'a hint about speed or memory';
const sampler = 'a sampler that mlx_vlm does not have';
const shown = 'the fields of a response are fixed';
const routing = 'there is only one model, on this Mac';

/** Hints that do not affect the correctness of an answer. */
const hints = {
  verbosity: ignored('ask for it in the prompt', z.literal('medium')),
  keep_alive: ignored('Ollama’s; see `--idle-unload`'),
  ttl: ignored('LM Studio’s; see `--idle-unload`'),
  options: ignored('part of Ollama’s own API; send its fields at the top level'),
  num_ctx: ignored('determined by the model'),
  context_length: ignored('determined by the model'),
  num_keep: ignored('conversations are never shortened'),
  n_keep: ignored('conversations are never shortened'),
  context_management: ignored('conversations are never shortened'),
  transforms: ignored('conversations are never shortened'),
  truncate: ignored('conversations are never shortened'),
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
  parse_tool_calls: ignored('always parsed'),
  skip_special_tokens: ignored('special tokens are never shown'),
  spaces_between_special_tokens: ignored('special tokens are never shown'),
  add_special_tokens: ignored('the model’s template decides'),
  mm_processor_kwargs: ignored('see `min_pixels`, `max_pixels` and `resize_shape`'),
  usage: ignored('always returned; see `stream_options`'),
  provider: ignored(routing),
  models: ignored(routing),
  route: ignored(routing),
  preset: ignored(routing),
  request_id: ignored('send the header `x-request-id`'),
  client_metadata: ignored('only meaningful at OpenAI'),
};

const isFalse = (value: unknown) => value === false;
const isZero = (value: unknown) => value === 0;
const isOne = (value: unknown) => value === 1;
const isEmpty = (value: unknown) => Array.isArray(value) && value.length === 0;
const tokens = 'answers cannot be restricted to tokens; see `logit_bias`';

/** Unsupported parameters that would change the answer. Their default values are accepted. */
const unsupported = {
  echo: refused('the prompt is never repeated', isFalse),
  ignore_eos: refused('the model decides when an answer ends', isFalse),
  min_tokens: refused('the model decides when an answer ends', isZero),
  use_beam_search: refused('beam search is not supported', isFalse),
  best_of: refused('all answers are returned; send `n`', isOne),
  stop_token_ids: refused('send `stop`', isEmpty),
  bad_words: refused('send `logit_bias`', isEmpty),
  allowed_token_ids: refused(tokens, isEmpty),
  include_stop_str_in_output: refused('stop sequences are never shown', isFalse),
  prompt_logprobs: refused('logprobs of the prompt are not supported', isZero),
  truncate_prompt_tokens: refused('conversations are never shortened'),
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

/** All of the above. An API's own parameters replace those with the same name. */
export const commonParameters = {
  ...mlxParameters,
  ...penalties,
  ...aliases,
  ...structuredOutput,
  ...hints,
  ...unsupported,
};

type Shape = typeof aliases & typeof mlxParameters;

/** The values of parameters that `read-parameters.ts` converts. */
export type CommonParameters = { [Name in keyof Shape]?: z.infer<Shape[Name]> | undefined };
