import type { ChatChunk, RuntimeToolCallDelta } from '../runtime/chat-protocol.ts';
import { Answer, toUsage } from './answer.ts';

/** What an answer says of itself: its id, the second it began in, the model the client named. */
export interface AnswerHead {
  id: string;
  created: number;
  model: string;
  systemFingerprint: string;
}

/** Assembles OpenAI's `chat.completion` from the runtime's stream. */
export class ChatCompletion {
  readonly answer: Answer;
  readonly #head: AnswerHead;
  #content = '';
  #reasoning = '';
  readonly #logprobs: unknown[] = [];
  readonly #toolCalls: {
    id: string;
    type: string;
    function: { name: string; arguments: string };
  }[] = [];

  constructor(head: AnswerHead, stops: readonly string[]) {
    this.#head = head;
    this.answer = new Answer(stops);
  }

  add(chunks: readonly ChatChunk[]): void {
    for (const chunk of chunks) {
      const delta = this.answer.add(chunk);
      if (delta === undefined) continue;
      this.#content += delta.content;
      this.#reasoning += delta.reasoning;
      if (delta.logprobs !== undefined) this.#logprobs.push(...delta.logprobs);
      for (const call of delta.toolCalls) this.#addToolCall(call);
    }
  }

  /** The finished answer, in the form of OpenAI's API reference. */
  toBody() {
    const content = this.#content + this.answer.end();
    const toolCalls = this.#toolCalls;
    const { id, created, model, systemFingerprint } = this.#head;
    return {
      id,
      object: 'chat.completion',
      created,
      model,
      choices: [
        {
          index: 0,
          message: {
            role: 'assistant',
            content: content === '' && toolCalls.length > 0 ? null : content,
            refusal: null,
            ...(this.#reasoning === '' ? {} : { reasoning_content: this.#reasoning }),
            ...(toolCalls.length === 0 ? {} : { tool_calls: toolCalls }),
          },
          logprobs: this.#logprobs.length === 0 ? null : { content: this.#logprobs, refusal: null },
          finish_reason: this.answer.finishReason,
        },
      ],
      usage: toUsage(this.answer.usage),
      system_fingerprint: systemFingerprint,
    };
  }

  #addToolCall({ index = 0, id, type, function: called }: RuntimeToolCallDelta): void {
    this.#toolCalls[index] ??= {
      id: id ?? '',
      type: type ?? 'function',
      function: { name: '', arguments: '' },
    };
    const call = this.#toolCalls[index];
    call.function.name += called?.name ?? '';
    call.function.arguments += called?.arguments ?? '';
  }
}
