import type { ChatChunk, RuntimeToolCallDelta, RuntimeUsage } from '../runtime/chat-protocol.ts';
import { StopMatcher } from './stop-matcher.ts';

/** What one chunk of the runtime adds to the answer. */
export interface AnswerDelta {
  content: string;
  reasoning: string;
  toolCalls: readonly RuntimeToolCallDelta[];
  logprobs: readonly unknown[] | undefined;
}

/** One answer as it grows: reads the runtime's chunks, minds the stop sequences, keeps the count. */
export class Answer {
  readonly #stop: StopMatcher;
  #finishReason: string | undefined;
  #usage: RuntimeUsage | undefined;
  #tokens = 0;

  constructor(stops: readonly string[]) {
    this.#stop = new StopMatcher(stops);
  }

  /** Whether a stop sequence has ended the answer, so that generating on would be for nothing. */
  get stopped(): boolean {
    return this.#stop.matched;
  }

  /** Tokens so far: the chunks that carried something, until the runtime tells its own count. */
  get tokens(): number {
    return this.#usage?.completion_tokens ?? this.#tokens;
  }

  get finishReason(): string {
    return this.stopped ? 'stop' : (this.#finishReason ?? 'stop');
  }

  get usage(): RuntimeUsage | undefined {
    return this.#usage;
  }

  /** What the chunk adds that can be shown; nothing if it adds nothing yet. */
  add(chunk: ChatChunk): AnswerDelta | undefined {
    if (chunk.usage != null) this.#usage = chunk.usage;
    const choice = chunk.choices[0];
    if (choice === undefined) return undefined;
    const { delta } = choice;
    const hasPayload =
      Boolean(delta.content) || Boolean(delta.reasoning) || Boolean(delta.tool_calls?.length);
    if (hasPayload) this.#tokens += 1;
    if (this.stopped) return undefined;
    if (choice.finish_reason != null) this.#finishReason = choice.finish_reason;
    const content = delta.content ? this.#stop.push(delta.content) : '';
    const reasoning = delta.reasoning ?? '';
    const toolCalls = delta.tool_calls ?? [];
    const logprobs = choice.logprobs?.content;
    if (content === '' && reasoning === '' && toolCalls.length === 0 && logprobs === undefined) {
      return undefined;
    }
    return { content, reasoning, toolCalls, logprobs };
  }

  /** The text that was held back for a stop sequence that did not come. */
  end(): string {
    return this.#stop.end();
  }
}

/** OpenAI's `usage` object. */
export function toUsage(usage: RuntimeUsage | undefined) {
  const { prompt_tokens = 0, completion_tokens = 0, prompt_tokens_details } = usage ?? {};
  return {
    prompt_tokens,
    completion_tokens,
    total_tokens: prompt_tokens + completion_tokens,
    prompt_tokens_details: { cached_tokens: prompt_tokens_details?.cached_tokens ?? 0 },
  };
}

/** OpenAI's tool call of a stream, from mlx_vlm's. */
export function toToolCallDelta({ index = 0, id, type, function: called }: RuntimeToolCallDelta) {
  return {
    index,
    ...(id === undefined ? {} : { id, type: type ?? 'function' }),
    ...(called === undefined ? {} : { function: called }),
  };
}
