import { z } from 'zod';
import { runtime } from './fields.ts';

const count = z.int().min(1).max(1_000_000);

/** OpenAI's sampling parameters, accepted by every API. */
export const sampling = {
  temperature: runtime(
    z.number().min(0).max(2),
    'the default is the model’s own (its `generation_config.json`), else 0; 1 when `n` is above 1',
  ),
  top_p: runtime(z.number().min(0).max(1), '0 always chooses the most likely token'),
};

const pixels = z.int().min(1).max(16_777_216);
const side = z.int().min(1).max(4096);

/** mlx_vlm's own parameters (`VLMRequest` in `mlx_vlm/server/schemas.py`). */
export const mlxParameters = {
  top_k: runtime(
    z.int().min(-1).max(1_000_000),
    'at most the number of the model’s tokens; 0 and -1 mean no limit',
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
    '`[side]` or `[height, width]`, for models that do not choose the size of a picture themselves',
  ),
  min_pixels: runtime(pixels, 'for models that choose the size of a picture themselves'),
  max_pixels: runtime(pixels, 'for models that choose the size of a picture themselves'),
};

/**
 * OpenAI's seed is a signed 64-bit integer. One beyond 2^53 is a bigint (see `json-body.ts`). Compared
 * as a double: JavaScript writes the largest, 2^63 - 1, as 9223372036854776000.
 */
export const Seed = z.custom<number | bigint>(
  (value) =>
    Number.isSafeInteger(value) ||
    (typeof value === 'bigint' && Math.abs(Number(value)) <= 2 ** 63),
  { error: 'a signed 64-bit integer' },
);

const noLimit = z.literal(-1);
/** A number of tokens, however large: the context is the limit beside it. -1 means no limit. */
export const TokenLimit = z.union([z.int().min(1), noLimit]);
/** Ollama's and llama.cpp's limit; -2 means the rest of the context, as -1 does here. */
export const PredictLimit = z.union([z.int().min(1), noLimit, z.literal(-2)]);

/**
 * Names of `chat_template_kwargs` that the template does not read as options. They would replace the
 * conversation, the template, a function that templates call, or options of mlx_vlm and transformers.
 * Letting clients set those was a vulnerability in vLLM (vllm#25794).
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

/** Whether a client may set this name for the model's template. */
export function isTemplateName(name: string): boolean {
  return (
    /^[a-z][a-z0-9_]{0,99}$/i.test(name) &&
    !BLOCKED.has(name) &&
    !/^return_|_kwargs$|_token$/.test(name)
  );
}
