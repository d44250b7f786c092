import type {
  ChatChunk,
  PromptUsage,
  RuntimeToolCallDelta,
  RuntimeUsage,
} from '../runtime/chat-protocol.ts';
import { ForcedCall } from './forced-call.ts';
import type { GenerationRequest } from './generation-request.ts';
import { HeldLogprobs } from './held-logprobs.ts';
import { StopMatcher } from './stop-matcher.ts';
import { type ToolCallDelta, ToolCalls } from './tool-calls.ts';

/** What one chunk of the runtime adds to the answer. */
export interface AnswerDelta {
  content: string;
  reasoning: string;
  toolCalls: readonly ToolCallDelta[];
  /** Of the tokens in it; empty unless they were asked for. */
  logprobs: readonly unknown[];
}

type Asked = Pick<GenerationRequest, 'stops' | 'parallelToolCalls' | 'tools'>;
export type FinishReason = 'stop' | 'length' | 'tool_calls';

/** One answer as it grows: reads the runtime's chunks, minds the stop sequences, keeps the count. */
export class Answer {
  readonly #stop: StopMatcher;
  readonly #logprobs = new HeldLogprobs();
  readonly #parallelToolCalls: boolean;
  readonly #forcedCall: ForcedCall | undefined;
  readonly #toolCalls: ToolCalls;
  #hasFurtherCall = false;
  #finishReason: string | undefined;
  #usage: RuntimeUsage | undefined;
  #prompt: PromptUsage | undefined;
  #tokens = 0;
  #reasoningTokens = 0;

  constructor({ stops, parallelToolCalls, tools }: Asked) {
    this.#stop = new StopMatcher(stops);
    this.#parallelToolCalls = parallelToolCalls;
    this.#forcedCall = tools?.choice === 'required' ? new ForcedCall() : undefined;
    this.#toolCalls = new ToolCalls(tools);
  }

  /** Whether the answer is complete though the model would go on. */
  get complete(): boolean {
    return this.stopSequence !== undefined || this.#hasFurtherCall;
  }

  /** The stop sequence that ended the answer. */
  get stopSequence(): string | undefined {
    return this.#stop.matched;
  }

  /** Tokens so far: the chunks that carried something, until the runtime tells its own count. */
  get tokens(): number {
    return this.#usage?.completion_tokens ?? this.#tokens;
  }

  /** Tokens of the reasoning, as far as they came in chunks of their own. */
  get reasoningTokens(): number {
    return this.#reasoningTokens;
  }

  get finishReason(): FinishReason {
    if (this.#hasFurtherCall || this.#finishReason === 'tool_calls') return 'tool_calls';
    if (this.#finishReason === 'length' && !this.complete) return 'length';
    return this.#forcedCall?.begun ? 'tool_calls' : 'stop';
  }

  /** Of the prompt; known from the first chunk on. */
  get promptUsage(): PromptUsage | undefined {
    return this.#usage ?? this.#prompt;
  }

  /** What the chunk adds that can be shown; nothing if it adds nothing yet. */
  add(chunk: ChatChunk): AnswerDelta | undefined {
    if (chunk.usage != null) this.#usage = chunk.usage;
    if (chunk.prompt !== undefined) this.#prompt = chunk.prompt;
    const choice = chunk.choices[0];
    if (choice === undefined) return undefined;
    this.#count(choice.delta);
    if (this.complete) return undefined;
    if (choice.finish_reason != null) this.#finishReason = choice.finish_reason;
    const made = choice.delta.content ?? '';
    const reasoning = choice.delta.reasoning ?? '';
    if (this.#forcedCall !== undefined) {
      // Stop sequences are for text: half of a call's arguments would be of no use.
      const forced = this.#forcedCall.push(made);
      // A call that the model wrote into a thought it never ended comes as the runtime's.
      const toolCalls = this.#forcedCall.begun ? forced : (choice.delta.tool_calls ?? []);
      return worthTelling(callDelta(this.#toolCalls.add(toolCalls), reasoning));
    }
    const content = made === '' ? '' : this.#stop.push(made);
    const toolCalls = this.#toolCalls.add(this.#allowed(choice.delta.tool_calls ?? []));
    const isText = reasoning === '' && !choice.delta.tool_calls?.length;
    if (made === '' && !isText) this.#logprobs.dropTextless();
    const entries = made !== '' || isText ? (choice.logprobs?.content ?? []) : [];
    const logprobs = this.#logprobs.push(entries, made, content);
    return worthTelling({ content, reasoning, toolCalls, logprobs });
  }

  /** What was held back: for a stop sequence that did not come, or of the input of a tool. */
  end(): AnswerDelta | undefined {
    const calls = this.#toolCalls.add(this.#forcedCall?.end() ?? []);
    const toolCalls = [...calls, ...this.#toolCalls.end()];
    if (this.#forcedCall !== undefined) {
      const content = this.finishReason === 'stop' ? this.#forcedCall.text : '';
      return worthTelling({ ...callDelta(toolCalls, ''), content });
    }
    const content = this.#stop.end();
    const logprobs = content === '' ? [] : this.#logprobs.push([], '', content);
    return worthTelling({ content, reasoning: '', toolCalls, logprobs });
  }

  #count({ content, reasoning, tool_calls }: ChatChunk['choices'][number]['delta']): void {
    if (content || reasoning || tool_calls?.length) this.#tokens += 1;
    if (reasoning) this.#reasoningTokens += 1;
  }

  #allowed(calls: readonly RuntimeToolCallDelta[]): readonly RuntimeToolCallDelta[] {
    if (this.#parallelToolCalls || calls.length === 0) return calls;
    this.#hasFurtherCall = calls.some(({ index = 0 }) => index > 0);
    return calls.filter(({ index = 0 }) => index === 0);
  }
}

/** The text of a forced call is told as its arguments, and has no logprobs there. */
function callDelta(toolCalls: readonly ToolCallDelta[], reasoning: string): AnswerDelta {
  return { content: '', reasoning, toolCalls, logprobs: [] };
}

function worthTelling(delta: AnswerDelta): AnswerDelta | undefined {
  const { content, reasoning, toolCalls, logprobs } = delta;
  const isEmpty = !content && !reasoning && toolCalls.length === 0 && logprobs.length === 0;
  return isEmpty ? undefined : delta;
}
