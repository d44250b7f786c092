import { z } from 'zod';
import { Problem } from '../problem.ts';

/** What a model is and can do. Null means that its files do not say. */
const description = {
  model_type: z.string().nullable(),
  /** Tokens of prompt and answer together. */
  context_length: z.int().nullable(),
  /** `4-bit`, `mxfp4`, or the type of weights that are not quantized, such as `bfloat16`. */
  quantization: z.string().nullable(),
  sees_images: z.boolean(),
  /** Whether its chat template shows it the tools of a request. */
  calls_tools: z.boolean(),
  /** Whether it thinks before it answers, always or when asked to. */
  thinks: z.boolean(),
};

/** What the model's files say, reported before the model is loaded. */
export const DescriptionLine = z.object({ event: z.literal('description'), ...description });
export type ModelDescription = Omit<z.infer<typeof DescriptionLine>, 'event'>;

/** What the model's chat template can show; found by rendering it (`chat_template.py`). */
export const TemplateFacts = z.object({
  /** `described`: in a system message, and calls and results as text. `none`: the model sees none. */
  tools: z.enum(['native', 'described', 'none']),
  /** `optional`: a request can turn it on and off. */
  thinking: z.enum(['none', 'optional', 'always']),
  /** Whether the template knows levels of `reasoning_effort`, not only on and off. */
  reasoning_effort: z.boolean(),
});
export type TemplateFacts = z.infer<typeof TemplateFacts>;

/** What the launcher says of the model once it serves it. Names are the launcher's, on the wire. */
export const ReadyLine = z.object({
  event: z.literal('ready'),
  ...description,
  model: z.string(),
  load_seconds: z.number(),
  memory_bytes: z.number(),
  vocab_size: z.int().nullable(),
  media_tokens: z.array(z.string()),
  /** Names in the model's chat template, any of which `chat_template_kwargs` may set. */
  template_names: z.array(z.string()).default([]),
  template: TemplateFacts,
  device: z.enum(['cpu', 'gpu']),
  versions: z.record(z.string(), z.string()),
});
export type ReadyLine = z.infer<typeof ReadyLine>;

/** Size of the model's weights on disk, reported before they are loaded. */
const WeightsLine = z.object({ event: z.literal('weights'), weights_bytes: z.number().min(0) });

/** What the model and what is kept for its requests take now, in bytes; told when it has changed. */
const MemoryLine = z.object({ event: z.literal('memory'), memory_bytes: z.number() });

/** Why one of our Python programs gave up. */
export const FatalLine = Problem.extend({ event: z.literal('fatal') });

/** One line of the launcher's stdout (`resources/runtime/launcher`): its whole protocol. */
export const LauncherLine = z.discriminatedUnion('event', [
  z.object({ event: z.literal('loading'), model: z.string(), pid: z.int() }),
  DescriptionLine,
  WeightsLine,
  ReadyLine,
  MemoryLine,
  FatalLine,
]);
export type LauncherLine = z.infer<typeof LauncherLine>;

/** What mlx_vlm's `/v1/chat/completions` is sent: OpenAI's body, with mlx_vlm's own extras. */
export interface RuntimeChatRequest {
  model: string;
  stream: true;
  messages: readonly unknown[];
  [parameter: string]: unknown;
}

/** What mlx_vlm streams (`ChatStreamChunk` in `mlx_vlm/server/schemas.py`), as far as we read it. */
export interface ChatChunk {
  /** Instead of everything else: the generation failed, and this is why. */
  error?: unknown;
  choices: readonly {
    delta: {
      content?: string | null;
      reasoning?: string | null;
      tool_calls?: readonly RuntimeToolCallDelta[] | null;
    };
    logprobs?: { content: readonly TokenLogprob[] } | null;
    finish_reason?: string | null;
  }[];
  usage?: RuntimeUsage | null;
  /** The launcher's first chunk: the prompt's tokens, before the first one of the answer. */
  prompt?: PromptUsage;
}

/** mlx_vlm's logprobs have OpenAI's form (`ChatLogprobContent` in its `schemas.py`). */
export interface TokenLogprob {
  token: string;
  logprob: number;
  /** Its part of the text's UTF-8, which may be a part of a character. */
  bytes?: readonly number[] | null;
  top_logprobs?: readonly Omit<TokenLogprob, 'top_logprobs'>[];
}

export interface RuntimeToolCallDelta {
  index?: number;
  id?: string;
  type?: string;
  function?: { name?: string; arguments?: string };
}

/** Tokens of the prompt, and of those the ones that the prefix cache had. */
export interface PromptUsage {
  prompt_tokens: number;
  prompt_tokens_details?: { cached_tokens?: number };
}

export interface RuntimeUsage extends PromptUsage {
  completion_tokens: number;
  total_tokens: number;
}
