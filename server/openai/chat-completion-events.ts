import type { Answer, AnswerDelta } from '../generation/answer.ts';
import type { AnswerEvents, AnswerHead } from '../generation/dialect.ts';
import type { ToolCallDelta } from '../generation/tool-calls.ts';
import { toUsage } from '../generation/usage.ts';
import type { ApiError } from './api-error.ts';
import { chatCompletionId, toCompletionUsage } from './chat-completion.ts';

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
