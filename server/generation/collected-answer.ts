import type { RuntimeToolCallDelta } from '../runtime/chat-protocol.ts';
import type { AnswerDelta } from './answer.ts';

/** A call of a function that the model makes. */
export interface MadeToolCall {
  id: string;
  name: string;
  arguments: string;
}

/** Everything an answer has said. */
export class CollectedAnswer {
  content = '';
  reasoning = '';
  readonly toolCalls: MadeToolCall[] = [];
  readonly logprobs: unknown[] = [];

  add({ content, reasoning, toolCalls, logprobs }: AnswerDelta): void {
    this.content += content;
    this.reasoning += reasoning;
    this.logprobs.push(...logprobs);
    for (const call of toolCalls) this.#addToolCall(call);
  }

  #addToolCall({ index = 0, id, function: called }: RuntimeToolCallDelta): void {
    this.toolCalls[index] ??= { id: id ?? '', name: '', arguments: '' };
    const call = this.toolCalls[index];
    call.name += called?.name ?? '';
    call.arguments += called?.arguments ?? '';
  }
}
