import type {
  ChatChunk,
  PromptUsage,
  RuntimeToolCallDelta,
  RuntimeUsage,
  TokenLogprob,
} from '../runtime/protocol.ts';
import type { GenerationRequest } from './request.ts';
import { StopMatcher } from './stop-matcher.ts';
import { ForcedCall, parseJson, type ToolCallDelta, ToolCalls } from './tool-calls.ts';
import type { ClientTool } from './tools.ts';

/** What a chunk from the runtime adds to an answer. */
export interface AnswerDelta {
  content: string;
  reasoning: string;
  toolCalls: readonly ToolCallDelta[];
  /** Log probabilities of the new tokens. Empty unless requested. */
  logprobs: readonly unknown[];
}

export type FinishReason = 'stop' | 'length' | 'tool_calls';

/** One answer as it is generated: reads the runtime's chunks, applies stop sequences, counts tokens. */
export class Answer {
  readonly #stop: StopMatcher;
  readonly #logprobs = new HeldLogprobs();
  readonly #parallelToolCalls: boolean;
  readonly #forcedCall: ForcedCall | undefined;
  readonly #toolCalls: ToolCalls;
  #hasExtraCall = false;
  #finishReason: string | undefined;
  #usage: RuntimeUsage | undefined;
  #prompt: PromptUsage | undefined;
  #tokens = 0;
  #reasoningTokens = 0;

  constructor({
    stopSequences,
    parallelToolCalls,
    tools,
  }: Pick<GenerationRequest, 'stopSequences' | 'parallelToolCalls' | 'tools'>) {
    this.#stop = new StopMatcher(stopSequences);
    this.#parallelToolCalls = parallelToolCalls;
    this.#forcedCall = tools?.choice === 'required' ? new ForcedCall() : undefined;
    this.#toolCalls = new ToolCalls(tools);
  }

  /** Whether the answer is complete, although the model may still be generating. */
  get isComplete(): boolean {
    return this.stopSequence !== undefined || this.#hasExtraCall;
  }

  /** The stop sequence that ended the answer. */
  get stopSequence(): string | undefined {
    return this.#stop.matched;
  }

  /** Tokens so far: the number of non-empty chunks, until the runtime reports its own count. */
  get tokens(): number {
    return this.#usage?.completion_tokens ?? this.#tokens;
  }

  /** Reasoning tokens: the number of chunks with reasoning. */
  get reasoningTokens(): number {
    return this.#reasoningTokens;
  }

  get finishReason(): FinishReason {
    if (this.#hasExtraCall || this.#finishReason === 'tool_calls') return 'tool_calls';
    if (this.#finishReason === 'length' && !this.isComplete) return 'length';
    return this.#forcedCall?.hasStarted ? 'tool_calls' : 'stop';
  }

  /** Usage of the prompt, known from the first chunk on. */
  get promptUsage(): PromptUsage | undefined {
    return this.#usage ?? this.#prompt;
  }

  /** Returns what the chunk adds to the answer, or undefined if it adds nothing yet. */
  add(chunk: ChatChunk): AnswerDelta | undefined {
    if (chunk.usage != null) this.#usage = chunk.usage;
    if (chunk.prompt !== undefined) this.#prompt = chunk.prompt;
    const choice = chunk.choices[0];
    if (choice === undefined) return undefined;
    this.#count(choice.delta);
    if (this.isComplete) return undefined;
    if (choice.finish_reason != null) this.#finishReason = choice.finish_reason;
    const text = choice.delta.content ?? '';
    const reasoning = choice.delta.reasoning ?? '';
    if (this.#forcedCall !== undefined) {
      // Stop sequences apply to text only, since truncated arguments would be useless.
      const forced = this.#forcedCall.push(text);
      // The runtime itself finds a call that the model made within unfinished reasoning.
      const toolCalls = this.#forcedCall.hasStarted ? forced : (choice.delta.tool_calls ?? []);
      return unlessEmpty(callDelta(this.#toolCalls.add(toolCalls), reasoning));
    }
    const content = text === '' ? '' : this.#stop.push(text);
    const toolCalls = this.#toolCalls.add(this.#allowed(choice.delta.tool_calls ?? []));
    const isText = reasoning === '' && !choice.delta.tool_calls?.length;
    if (text === '' && !isText) this.#logprobs.dropTextless();
    const entries = text !== '' || isText ? (choice.logprobs?.content ?? []) : [];
    const logprobs = this.#logprobs.push(entries, text, content);
    return unlessEmpty({ content, reasoning, toolCalls, logprobs });
  }

  /** Returns what was held back: a possible stop sequence, or part of a tool's input. */
  end(): AnswerDelta | undefined {
    const calls = this.#toolCalls.add(this.#forcedCall?.end() ?? []);
    const toolCalls = [...calls, ...this.#toolCalls.end()];
    if (this.#forcedCall !== undefined) {
      const content = this.finishReason === 'stop' ? this.#forcedCall.text : '';
      return unlessEmpty({ ...callDelta(toolCalls, ''), content });
    }
    const content = this.#stop.end();
    const logprobs = content === '' ? [] : this.#logprobs.push([], '', content);
    return unlessEmpty({ content, reasoning: '', toolCalls, logprobs });
  }

  #count({ content, reasoning, tool_calls }: ChatChunk['choices'][number]['delta']): void {
    if (content || reasoning || tool_calls?.length) this.#tokens += 1;
    if (reasoning) this.#reasoningTokens += 1;
  }

  #allowed(calls: readonly RuntimeToolCallDelta[]): readonly RuntimeToolCallDelta[] {
    if (this.#parallelToolCalls || calls.length === 0) return calls;
    this.#hasExtraCall = calls.some(({ index = 0 }) => index > 0);
    return calls.filter(({ index = 0 }) => index === 0);
  }
}

/** A delta without text. Tool calls have no log probabilities. */
function callDelta(toolCalls: readonly ToolCallDelta[], reasoning: string): AnswerDelta {
  return { content: '', reasoning, toolCalls, logprobs: [] };
}

/** The delta, or undefined if it adds nothing. */
function unlessEmpty(delta: AnswerDelta): AnswerDelta | undefined {
  const { content, reasoning, toolCalls, logprobs } = delta;
  const isEmpty = !content && !reasoning && toolCalls.length === 0 && logprobs.length === 0;
  return isEmpty ? undefined : delta;
}

/** A call of one of the client's tools in an answer. */
export interface AnswerToolCall extends ClientTool {
  id: string;
  /** For a custom tool, its input. */
  arguments: string;
}

/** The complete content of an answer. */
export class CollectedAnswer {
  content = '';
  reasoning = '';
  readonly toolCalls: AnswerToolCall[] = [];
  readonly logprobs: unknown[] = [];

  add({ content, reasoning, toolCalls, logprobs }: AnswerDelta): void {
    this.content += content;
    this.reasoning += reasoning;
    this.logprobs.push(...logprobs);
    for (const call of toolCalls) this.#addToolCall(call);
  }

  #addToolCall({ index = 0, id = '', type, namespace, function: called }: ToolCallDelta): void {
    this.toolCalls[index] ??= {
      id,
      type: type === 'custom' ? 'custom' : 'function',
      ...(namespace === undefined ? {} : { namespace }),
      name: '',
      arguments: '',
    };
    const call = this.toolCalls[index];
    call.name += called?.name ?? '';
    call.arguments += called?.arguments ?? '';
  }
}

/** Parses the arguments of a call. Undefined if they are truncated or not an object. */
export function toArguments(text: string): object | undefined {
  const value = parseJson(text);
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? value : undefined;
}

/** Tokens of one request, for all its answers. */
export interface Usage {
  promptTokens: number;
  /** Prompt tokens from the prefix cache. */
  cachedTokens: number;
  completionTokens: number;
  /** Completion tokens that are reasoning. */
  reasoningTokens: number;
}

/** Adds up the answers of one request. Like OpenAI, counts the prompt once. */
export function toUsage(answers: readonly Answer[]): Usage {
  const prompt = answers[0]?.promptUsage;
  const sum = (count: (answer: Answer) => number) =>
    answers.reduce((total, answer) => total + count(answer), 0);
  return {
    promptTokens: prompt?.prompt_tokens ?? 0,
    cachedTokens: prompt?.prompt_tokens_details?.cached_tokens ?? 0,
    completionTokens: sum(({ tokens }) => tokens),
    reasoningTokens: sum(({ reasoningTokens }) => reasoningTokens),
  };
}

interface Held {
  /** Length of the answer's text up to and including these tokens. */
  end: number;
  entries: readonly TokenLogprob[];
}

/**
 * Holds back the log probabilities of tokens whose text is held back, which could otherwise reveal a
 * stop sequence. A token without text, such as the first bytes of a character, is held back until
 * the text that it belongs to.
 */
class HeldLogprobs {
  #textless: readonly TokenLogprob[] = [];
  #held: Held[] = [];
  #generated = 0;
  #shown = 0;

  /**
   * Takes the log probabilities of a piece of generated text, and the text that is shown now. Returns
   * those of tokens that are shown completely.
   */
  push(entries: readonly TokenLogprob[], text: string, shown: string): readonly TokenLogprob[] {
    this.#generated += text.length;
    this.#shown += shown.length;
    const all = [...this.#textless, ...entries];
    this.#textless = text === '' ? all : [];
    const complete = text === '' ? [] : trimToText(all, text);
    if (this.#held.length === 0 && this.#shown === this.#generated) return complete;
    if (complete.length > 0) this.#held.push({ end: this.#generated, entries: complete });
    const hidden = this.#held.findIndex(({ end }) => end > this.#shown);
    const free = this.#held.splice(0, hidden === -1 ? this.#held.length : hidden);
    return free.flatMap((held) => held.entries);
  }

  /** Drops tokens without text that turn out not to belong to the answer's text. */
  dropTextless(): void {
    this.#textless = [];
  }
}

/**
 * Removes leading bytes that are not in the text, such as a start marker or the space that
 * SentencePiece puts before the first token.
 */
function trimToText(entries: readonly TokenLogprob[], text: string): readonly TokenLogprob[] {
  const bytes = entries.flatMap((entry) => entry.bytes ?? []);
  const expected = Buffer.from(text);
  let excess = bytes.length - expected.length;
  if (excess <= 0 || !Buffer.from(bytes.slice(excess)).equals(expected)) return entries;
  const kept = [...entries];
  for (let first = kept[0]; first !== undefined && excess > 0; first = kept[0]) {
    const own = first.bytes ?? [];
    if (own.length > excess) {
      const rest = own.slice(excess);
      kept[0] = { ...first, token: Buffer.from(rest).toString(), bytes: rest };
      break;
    }
    excess -= own.length;
    kept.shift();
  }
  return kept;
}
