import type { RuntimeToolCallDelta } from '../runtime/chat-protocol.ts';
import { CustomInput } from './custom-input.ts';
import type { ClientTool } from './tool-names.ts';
import type { Tools } from './tools.ts';

/**
 * What is new in a call of one of the client's tools, by the client's names. That of a custom tool
 * has its input instead of arguments, and is of type `custom` in each of its deltas.
 */
export interface ToolCallDelta extends RuntimeToolCallDelta {
  namespace?: string;
}

/** Turns calls of the functions that a model was offered into calls of the client's tools. */
export class ToolCalls {
  readonly #tools: readonly { name: string; client: ClientTool }[];
  /** The custom tool whose call is under way, by the call's index. */
  #custom: { index: number; input: CustomInput } | undefined;

  constructor(tools: Tools | undefined) {
    this.#tools = tools?.functions ?? [];
  }

  add(deltas: readonly RuntimeToolCallDelta[]): ToolCallDelta[] {
    return deltas.flatMap((delta) => this.#add(delta));
  }

  /** The rest of the last call, once the answer has ended. */
  end(): ToolCallDelta[] {
    if (this.#custom === undefined) return [];
    const { index, input } = this.#custom;
    this.#custom = undefined;
    return more(index, input.end());
  }

  /** By the name that the model was offered or, if that is unambiguous, by the client's own. */
  #find(name: string): ClientTool | undefined {
    const offered = this.#tools.find((tool) => tool.name === name);
    if (offered !== undefined) return offered.client;
    const [only, ...others] = this.#tools.filter(({ client }) => client.name === name);
    return others.length === 0 ? only?.client : undefined;
  }

  #add(delta: RuntimeToolCallDelta): ToolCallDelta[] {
    const { index = 0, function: called } = delta;
    const ended = index === this.#custom?.index ? [] : this.end();
    const tool = called?.name === undefined ? undefined : this.#find(called.name);
    if (tool !== undefined) return [...ended, ...this.#begin(tool, { ...delta, index })];
    const input = this.#custom?.input;
    if (input === undefined) return [...ended, delta];
    return [...ended, ...more(index, input.push(called?.arguments ?? ''))];
  }

  #begin(tool: ClientTool, delta: RuntimeToolCallDelta & { index: number }): ToolCallDelta[] {
    const { type, name, namespace } = tool;
    const told = namespace === undefined ? delta : { ...delta, namespace };
    if (type === 'function') return [{ ...told, function: { ...delta.function, name } }];
    const text = delta.function?.arguments ?? '';
    // The text of a forced call that a grammar held is the input itself.
    if (delta.type === 'custom') return [{ ...told, function: { name, arguments: text } }];
    const input = new CustomInput();
    this.#custom = { index: delta.index, input };
    const begun = { name, arguments: input.push(text) };
    return [{ ...told, type, function: begun }];
  }
}

function more(index: number, text: string): ToolCallDelta[] {
  return text === '' ? [] : [{ index, type: 'custom', function: { arguments: text } }];
}
