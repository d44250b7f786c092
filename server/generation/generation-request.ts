import type { Message } from './conversation.ts';
import type { Tools } from './tools.ts';

/** Where in the client's body each of mlx_vlm's parameters of thinking stands. */
export type ThinkingFields = Partial<
  Record<'enable_thinking' | 'reasoning_effort' | 'thinking_budget', readonly string[]>
>;

/** What a client asks of the model, whichever API it came by. */
export interface GenerationRequest {
  /** The name the client gives the model, and is told again. */
  model: string | undefined;
  messages: readonly Message[];
  /** The client's names of what errors may concern as a whole. */
  params: { messages: string; schema: string };
  stream: boolean;
  /** How many answers are wanted, one after the other. */
  answers: number;
  /** 64 bits, signed; a bigint beyond 2^53. */
  seed: number | bigint | undefined;
  maxTokens: number | undefined;
  /** Texts at which an answer ends, without them. mlx_vlm knows none. */
  stops: readonly string[];
  tools: Tools | undefined;
  /** Whether an answer may call more than one function. mlx_vlm does not ask. */
  parallelToolCalls: boolean;
  /** What mlx_vlm is given as it is, under its own names (`VLMRequest` in its `schemas.py`). */
  parameters: Readonly<Record<string, unknown>>;
  /** The client's fields that ask for thinking, by mlx_vlm's names for them. */
  thinkingFields: ThinkingFields;
  /** The client's field that asks for the last message, an assistant's, to be continued. */
  continuedBy: string | undefined;
  /** For the model's chat template. The launcher passes on those that the template uses. */
  templateKwargs: Readonly<Record<string, string | number | boolean>>;
}
