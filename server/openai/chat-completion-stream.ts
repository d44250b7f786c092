import type { ChatChunk } from '../runtime/chat-protocol.ts';
import { Answer, type AnswerDelta, toToolCallDelta, toUsage } from './answer.ts';
import type { AnswerHead } from './chat-completion.ts';

export const streamEnd = 'data: [DONE]\n\n';

/**
 * Writes OpenAI's `chat.completion.chunk` events: the role once, then only what is new, then an
 * empty delta with the finish reason, the usage if it was asked for, and `[DONE]`.
 */
export class ChatCompletionStream {
  readonly answer: Answer;
  readonly #head: string;
  readonly #includeUsage: boolean;
  #begun = false;

  constructor(head: AnswerHead, stops: readonly string[], includeUsage: boolean) {
    this.answer = new Answer(stops);
    this.#includeUsage = includeUsage;
    const { id, created, model, systemFingerprint } = head;
    const fields = JSON.stringify({
      id,
      object: 'chat.completion.chunk',
      created,
      model,
      system_fingerprint: systemFingerprint,
    });
    this.#head = `data: ${fields.slice(0, -1)},"choices":[`;
  }

  /** The events for what the runtime's chunks add; an empty text if that is nothing. */
  add(chunks: readonly ChatChunk[]): string {
    let events = '';
    for (const chunk of chunks) {
      const delta = this.answer.add(chunk);
      if (delta !== undefined) events += this.#delta(delta);
    }
    return events;
  }

  /** The events that end the stream. */
  end(): string {
    const rest = this.answer.end();
    let events = this.#begin();
    if (rest !== '') events += this.#choice(`{"content":${JSON.stringify(rest)}}`, 'null');
    events += this.#choice('{}', 'null', JSON.stringify(this.answer.finishReason));
    if (this.#includeUsage) {
      events += `${this.#head}],"usage":${JSON.stringify(toUsage(this.answer.usage))}}\n\n`;
    }
    return events + streamEnd;
  }

  #delta({ content, reasoning, toolCalls, logprobs }: AnswerDelta): string {
    const fields: string[] = [];
    if (content !== '') fields.push(`"content":${JSON.stringify(content)}`);
    if (reasoning !== '') fields.push(`"reasoning_content":${JSON.stringify(reasoning)}`);
    if (toolCalls.length > 0) {
      fields.push(`"tool_calls":${JSON.stringify(toolCalls.map(toToolCallDelta))}`);
    }
    const shown =
      logprobs === undefined ? 'null' : JSON.stringify({ content: logprobs, refusal: null });
    return this.#begin() + this.#choice(`{${fields.join(',')}}`, shown);
  }

  #begin(): string {
    if (this.#begun) return '';
    this.#begun = true;
    return this.#choice('{"role":"assistant","content":"","refusal":null}', 'null');
  }

  #choice(delta: string, logprobs: string, finishReason = 'null'): string {
    const usage = this.#includeUsage ? ',"usage":null' : '';
    return `${this.#head}{"index":0,"delta":${delta},"logprobs":${logprobs},"finish_reason":${finishReason}}]${usage}}\n\n`;
  }
}
