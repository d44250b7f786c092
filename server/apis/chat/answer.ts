import type { ChatCompletion, ChatCompletionChunk } from 'openai/resources/chat/completions';
import type { ApiError } from '../../errors.ts';
import { type Answer, type AnswerDelta, toUsage, type Usage } from '../../generation/answer.ts';
import type { ToolCallDelta } from '../../generation/tool-calls.ts';
import type { AnswerEvents, AnswerHead, FinishedAnswer } from '../dialect.ts';

type Choice = ChatCompletion.Choice;

/** OpenAI's `chat.completion` with all answers of a request. */
export function toChatCompletion(head: AnswerHead, answers: readonly FinishedAnswer[]) {
  return {
    id: toCompletionId(head),
    object: 'chat.completion',
    created: head.created,
    model: head.model,
    choices: answers.map(toChoice),
    usage: toCompletionUsage(toUsage(answers.map(({ answer }) => answer))),
    service_tier: 'default',
    system_fingerprint: head.systemFingerprint,
  } satisfies ChatCompletion;
}

function toCompletionId({ requestId }: AnswerHead): string {
  return `chatcmpl-${requestId}`;
}

function toCompletionUsage(usage: Usage) {
  return {
    prompt_tokens: usage.promptTokens,
    completion_tokens: usage.completionTokens,
    total_tokens: usage.promptTokens + usage.completionTokens,
    prompt_tokens_details: { cached_tokens: usage.cachedTokens, audio_tokens: 0 },
    completion_tokens_details: {
      reasoning_tokens: usage.reasoningTokens,
      audio_tokens: 0,
      accepted_prediction_tokens: 0,
      rejected_prediction_tokens: 0,
    },
  } satisfies ChatCompletion['usage'];
}

/** Includes `reasoning_content`, which is not in OpenAI's API but which clients read. */
function toChoice({ answer, collected }: FinishedAnswer, index: number): Choice {
  const { content, reasoning, toolCalls, logprobs } = collected;
  const message: Choice['message'] & { reasoning_content?: string } = {
    role: 'assistant',
    content: content === '' && toolCalls.length > 0 ? null : content,
    refusal: null,
    annotations: [],
    ...(reasoning === '' ? {} : { reasoning_content: reasoning }),
  };
  if (toolCalls.length > 0) {
    message.tool_calls = toolCalls.map(({ id, type, name, arguments: text }) =>
      type === 'custom'
        ? { id, type, custom: { name, input: text } }
        : { id, type, function: { name, arguments: text } },
    );
  }
  return {
    index,
    message,
    logprobs: toLogprobs(logprobs),
    finish_reason: answer.finishReason,
  };
}

/** mlx_vlm's logprobs have OpenAI's form (`ChatLogprobContent` in its `schemas.py`). */
function toLogprobs(logprobs: readonly unknown[]): Choice['logprobs'] {
  if (logprobs.length === 0) return null;
  const content = logprobs as NonNullable<NonNullable<Choice['logprobs']>['content']>;
  return { content, refusal: null };
}

type Chunk = ChatCompletionChunk;
type ChunkChoice = ChatCompletionChunk.Choice;
type ChunkToolCall = ChatCompletionChunk.Choice.Delta.ToolCall;
type ChunkDelta = ChunkChoice['delta'] & { reasoning_content?: string };

/**
 * Writes OpenAI's `chat.completion.chunk` events: the role first, then what is new, then an empty
 * delta with the finish reason, the usage if requested, and `[DONE]`.
 */
export class ChatCompletionEvents implements AnswerEvents {
  readonly #head: Omit<Chunk, 'choices' | 'usage'>;
  readonly #includeUsage: boolean;
  readonly #started = new Set<number>();

  constructor(head: AnswerHead, includeUsage: boolean) {
    this.#includeUsage = includeUsage;
    this.#head = {
      id: toCompletionId(head),
      object: 'chat.completion.chunk',
      created: head.created,
      model: head.model,
      service_tier: 'default',
      system_fingerprint: head.systemFingerprint,
    };
  }

  delta(index: number, { content, reasoning, toolCalls, logprobs }: AnswerDelta): string {
    const delta: ChunkDelta = {};
    if (content !== '') delta.content = content;
    if (reasoning !== '') delta.reasoning_content = reasoning;
    if (toolCalls.length > 0) delta.tool_calls = toolCalls.map(toToolCallDelta);
    const startsWithCall = toolCalls.length > 0 && content === '';
    return this.#start(index, startsWithCall) + this.#chunk({ index, delta, logprobs });
  }

  finish(index: number, { finishReason }: Answer): string {
    return this.#start(index) + this.#chunk({ index, delta: {}, finishReason });
  }

  end(answers: readonly Answer[]): string {
    if (!this.#includeUsage) return DONE;
    const usage = toCompletionUsage(toUsage(answers));
    return toEvent({ ...this.#head, choices: [], usage }) + DONE;
  }

  fail(error: ApiError): string {
    return toEvent({ error: error.toBody().error });
  }

  /** The content is null if the answer starts with a tool call, and otherwise empty so far. */
  #start(index: number, startsWithCall = false): string {
    if (this.#started.has(index)) return '';
    this.#started.add(index);
    const content = startsWithCall ? null : '';
    return this.#chunk({ index, delta: { role: 'assistant', content, refusal: null } });
  }

  #chunk({
    index,
    delta,
    logprobs = [],
    finishReason = null,
  }: {
    index: number;
    delta: ChunkDelta;
    logprobs?: readonly unknown[];
    finishReason?: Answer['finishReason'] | null;
  }): string {
    const choice: ChunkChoice = {
      index,
      delta,
      logprobs: toLogprobs(logprobs),
      finish_reason: finishReason,
    };
    const usage = this.#includeUsage ? { usage: null } : {};
    return toEvent({ ...this.#head, choices: [choice], ...usage } satisfies Chunk);
  }
}

const DONE = 'data: [DONE]\n\n';

function toEvent(data: object): string {
  return `data: ${JSON.stringify(data)}\n\n`;
}

/** OpenAI's delta of a tool call, also of a custom one, which the SDK's type does not have. */
function toToolCallDelta({ index = 0, id, type = 'function', function: called }: ToolCallDelta) {
  const call = { index, ...(id === undefined ? {} : { id, type }) };
  if (called === undefined) return call as ChunkToolCall;
  if (type !== 'custom') return { ...call, function: called } as ChunkToolCall;
  const { arguments: input, ...rest } = called;
  return {
    ...call,
    custom: { ...rest, ...(input === undefined ? {} : { input }) },
  } as ChunkToolCall;
}
