import type { AnswerDelta } from './answer.ts';
import { parseJson } from './custom-input.ts';
import type { ToolCallDelta } from './tool-calls.ts';
import type { ClientTool } from './tool-names.ts';

/** A call of one of the client's tools that the model makes. */
export interface MadeToolCall extends ClientTool {
  id: string;
  /** Of a custom tool, its input. */
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
