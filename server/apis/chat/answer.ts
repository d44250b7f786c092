import type { ChatCompletion } from 'openai/resources/chat/completions';
import type { ApiError } from '../../errors.ts';
import { type Answer, type AnswerDelta, toUsage, type Usage } from '../../generation/answer.ts';
import type { ToolCallDelta } from '../../generation/tool-calls.ts';
import type { AnswerEvents, AnswerHead, FinishedAnswer } from '../dialect.ts';

type Choice = ChatCompletion.Choice;

/** OpenAI's `chat.completion`: every answer of a request, whole. */
export function toChatCompletion(head: AnswerHead, answers: readonly FinishedAnswer[]) {
  return {
    id: chatCompletionId(head),
    object: 'chat.completion',
    created: head.created,
    model: head.model,
    choices: answers.map(toChoice),
    usage: toCompletionUsage(toUsage(answers.map(({ answer }) => answer))),
    service_tier: 'default',
    system_fingerprint: head.systemFingerprint,
  } satisfies ChatCompletion;
}

export function chatCompletionId({ requestId }: AnswerHead): string {
  return `chatcmpl-${requestId}`;
}

/** OpenAI's `usage` object. */
export function toCompletionUsage(usage: Usage) {
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

/** With `reasoning_content`, which clients read though OpenAI's reference does not have it. */
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
    logprobs: logprobs.length === 0 ? null : { content: asTokens(logprobs), refusal: null },
    finish_reason: answer.finishReason,
  };
}

/** mlx_vlm's logprobs have OpenAI's form (`ChatLogprobContent` in its `schemas.py`). */
function asTokens(logprobs: readonly unknown[]) {
  return logprobs as NonNullable<NonNullable<Choice['logprobs']>['content']>;
}

/**
 * Writes OpenAI's `chat.completion.chunk` events: the role once, then only what is new, then an
 * empty delta with the finish reason, the usage if it was asked for, and `[DONE]`.
 */
export class ChatCompletionEvents implements AnswerEvents {
  readonly #head: string;
  readonly #includeUsage: boolean;
  readonly #begun = new Set<number>();

  constructor(head: AnswerHead, includeUsage: boolean) {
    this.#includeUsage = includeUsage;
    const fields = JSON.stringify({
      id: chatCompletionId(head),
      object: 'chat.completion.chunk',
      created: head.created,
      model: head.model,
      service_tier: 'default',
      system_fingerprint: head.systemFingerprint,
    });
    this.#head = `data: ${fields.slice(0, -1)},"choices":[`;
  }

  delta(index: number, { content, reasoning, toolCalls, logprobs }: AnswerDelta): string {
    const fields: string[] = [];
    if (content !== '') fields.push(`"content":${JSON.stringify(content)}`);
    if (reasoning !== '') fields.push(`"reasoning_content":${JSON.stringify(reasoning)}`);
    if (toolCalls.length > 0) {
      fields.push(`"tool_calls":${JSON.stringify(toolCalls.map(toToolCallDelta))}`);
    }
    const shown =
      logprobs.length === 0 ? 'null' : JSON.stringify({ content: logprobs, refusal: null });
    const isCall = toolCalls.length > 0 && content === '';
    return this.#begin(index, isCall) + this.#choice(index, `{${fields.join(',')}}`, shown);
  }

  finish(index: number, { finishReason }: Answer): string {
    return this.#begin(index) + this.#choice(index, '{}', 'null', JSON.stringify(finishReason));
  }

  end(answers: readonly Answer[]): string {
    const usage = JSON.stringify(toCompletionUsage(toUsage(answers)));
    return `${this.#includeUsage ? `${this.#head}],"usage":${usage}}\n\n` : ''}data: [DONE]\n\n`;
  }

  fail(error: ApiError): string {
    return `data: ${JSON.stringify({ error: error.toBody().error })}\n\n`;
  }

  /** An answer that begins with a call has no content, unlike one that is empty so far. */
  #begin(index: number, isCall = false): string {
    if (this.#begun.has(index)) return '';
    this.#begun.add(index);
    const content = isCall ? 'null' : '""';
    const delta = `{"role":"assistant","content":${content},"refusal":null}`;
    return this.#choice(index, delta, 'null');
  }

  #choice(index: number, delta: string, logprobs: string, finishReason = 'null'): string {
    const usage = this.#includeUsage ? ',"usage":null' : '';
    return `${this.#head}{"index":${index},"delta":${delta},"logprobs":${logprobs},"finish_reason":${finishReason}}]${usage}}\n\n`;
  }
}

/** OpenAI's tool call of a stream. */
function toToolCallDelta({ index = 0, id, type = 'function', function: called }: ToolCallDelta) {
  const begun = { index, ...(id === undefined ? {} : { id, type }) };
  if (called === undefined) return begun;
  if (type !== 'custom') return { ...begun, function: called };
  const { arguments: input, ...named } = called;
  return { ...begun, custom: { ...named, ...(input === undefined ? {} : { input }) } };
}
