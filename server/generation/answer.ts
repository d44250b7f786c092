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

/** A call of one of the client's tools that the model makes. */
export interface AnswerToolCall extends ClientTool {
  id: string;
  /** Of a custom tool, its input. */
  arguments: string;
}

/** Everything an answer has said. */
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

/** The arguments of a call. Nothing if they were cut, or are not the object that they must be. */
export function toArguments(text: string): object | undefined {
  const value = parseJson(text);
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? value : undefined;
}

/** Tokens of one request, all its answers together. */
export interface Usage {
  promptTokens: number;
  /** Of the prompt: those that the prefix cache gave. */
  cachedTokens: number;
  completionTokens: number;
  /** Of the completion: those of the reasoning. */
  reasoningTokens: number;
}

/** Sums up the answers of one request. Its prompt is counted once, as OpenAI does. */
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
  /** Length of the answer's text with these tokens. */
  end: number;
  entries: readonly TokenLogprob[];
}

/**
 * Keeps the logprobs of tokens whose text is not shown yet. Shown early, they would give away the stop
 * sequence that the text may turn out to be. A token without text, such as one with the first bytes of
 * a character, waits for the text that it becomes a part of.
 */
export class HeldLogprobs {
  #textless: readonly TokenLogprob[] = [];
  #held: Held[] = [];
  #made = 0;
  #shown = 0;

  /**
   * Takes the logprobs of a piece of text and the text that is shown after it; gives those of the
   * tokens that are shown whole.
   */
  push(entries: readonly TokenLogprob[], made: string, shown: string): readonly TokenLogprob[] {
    this.#made += made.length;
    this.#shown += shown.length;
    const all = [...this.#textless, ...entries];
    this.#textless = made === '' ? all : [];
    const told = made === '' ? [] : trimToText(all, made);
    if (this.#held.length === 0 && this.#shown === this.#made) return told;
    if (told.length > 0) this.#held.push({ end: this.#made, entries: told });
    const hidden = this.#held.findIndex(({ end }) => end > this.#shown);
    const free = this.#held.splice(0, hidden === -1 ? this.#held.length : hidden);
    return free.flatMap((held) => held.entries);
  }

  /** The tokens without text so far belong to something other than the answer's text. */
  dropTextless(): void {
    this.#textless = [];
  }
}

/**
 * The entries of tokens whose joined bytes end with the text: without those that only mark where the
 * text begins, and without a space that the text has lost, as SentencePiece's first token does.
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
