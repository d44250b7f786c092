import { z } from 'zod';
import { Problem } from '../problem.ts';

/** What a model is. Null means that its files do not say. */
const description = {
  model_type: z.string().nullable(),
  /** In tokens, for prompt and answer together. */
  context_length: z.int().nullable(),
  /** `4-bit`, `mxfp4`, or for unquantized weights their type, such as `bfloat16`. */
  quantization: z.string().nullable(),
  sees_images: z.boolean(),
};

/** What the model's files say. Reported before the model is loaded. */
export const DescriptionLine = z.object({
  event: z.literal('description'),
  ...description,
  /** Whether its chat template passes on the tools of a request, as far as its text tells. */
  calls_tools: z.boolean(),
  /** Whether it thinks before it answers, always or on request, as far as that text tells. */
  thinks: z.boolean(),
});
export type ModelDescription = Omit<z.infer<typeof DescriptionLine>, 'event'>;

/** What the model's chat template supports, found by rendering it (`chat_template.py`). */
export const TemplateFacts = z.object({
  /** `described`: as text in the messages. `none`: the model does not see them. */
  tools: z.enum(['native', 'described', 'none']),
  /** `optional`: a request can turn it on and off. */
  thinking: z.enum(['none', 'optional', 'always']),
  /** Whether the template distinguishes levels of `reasoning_effort`, not only on and off. */
  reasoning_effort: z.boolean(),
});
export type TemplateFacts = z.infer<typeof TemplateFacts>;

/** The model that the launcher serves. The names are those on the wire. */
export const ReadyLine = z.object({
  event: z.literal('ready'),
  ...description,
  model: z.string(),
  load_seconds: z.number(),
  memory_bytes: z.number(),
  vocab_size: z.int().nullable(),
  media_tokens: z.array(z.string()),
  /** Variables of the model's chat template, which `chat_template_kwargs` may set. */
  template_names: z.array(z.string()).default([]),
  template: TemplateFacts,
  device: z.enum(['cpu', 'gpu']),
  versions: z.record(z.string(), z.string()),
});
export type ReadyLine = z.infer<typeof ReadyLine>;

/** Size of the model's weights on disk. Reported before they are loaded. */
const WeightsLine = z.object({ event: z.literal('weights'), weights_bytes: z.number().min(0) });

/** Memory in use by the model and its caches, in bytes. Reported when it changes. */
const MemoryLine = z.object({ event: z.literal('memory'), memory_bytes: z.number() });

/** Why one of our Python programs gave up. */
export const FatalLine = Problem.extend({ event: z.literal('fatal') });

/** A line on the launcher's stdout (`resources/runtime/launcher`). */
export const LauncherLine = z.discriminatedUnion('event', [
  z.object({ event: z.literal('loading'), model: z.string(), pid: z.int() }),
  DescriptionLine,
  WeightsLine,
  ReadyLine,
  MemoryLine,
  FatalLine,
]);
export type LauncherLine = z.infer<typeof LauncherLine>;

/** A request for mlx_vlm's `/v1/chat/completions`: OpenAI's body with mlx_vlm's extensions. */
export interface RuntimeChatRequest {
  model: string;
  stream: true;
  messages: readonly unknown[];
  [parameter: string]: unknown;
}

/** A chunk of mlx_vlm's stream (`ChatStreamChunk` in `mlx_vlm/server/schemas.py`): the fields we use. */
export interface ChatChunk {
  /** Why the generation failed. The other fields are missing then. */
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
  /** In the launcher's first chunk, before any token of the answer. */
  prompt?: PromptUsage;
}

/** mlx_vlm's logprobs, in OpenAI's format (`ChatLogprobContent` in its `schemas.py`). */
export interface TokenLogprob {
  token: string;
  logprob: number;
  /** The token in UTF-8. It may end within a character. */
  bytes?: readonly number[] | null;
  top_logprobs?: readonly Omit<TokenLogprob, 'top_logprobs'>[];
}

export interface RuntimeToolCallDelta {
  index?: number;
  id?: string;
  type?: string;
  function?: { name?: string; arguments?: string };
}

/** Tokens of the prompt, and how many of them were in the prefix cache. */
export interface PromptUsage {
  prompt_tokens: number;
  prompt_tokens_details?: { cached_tokens?: number };
}

export interface RuntimeUsage extends PromptUsage {
  completion_tokens: number;
  total_tokens: number;
}
