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
