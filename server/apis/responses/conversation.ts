import type { Message, TextPart, ToolCall } from '../../generation/conversation.ts';
import type { ClientTool, ToolNames } from '../../generation/tools.ts';
import type { ConversationItem } from './request.ts';

/** An item and where it stands in the client's body. */
export interface PlacedItem {
  item: ConversationItem;
  param: string;
}

type Draft = { -readonly [Field in keyof Message]: Message[Field] };

/**
 * The messages that the items of a Responses conversation stand for. An answer comes as several
 * items (its reasoning, its text, its calls): they are one message of the assistant.
 */
export function toMessages(items: readonly PlacedItem[], names: ToolNames): Message[] {
  const messages: Draft[] = [];
  let reasoning: TextPart | undefined;
  const assistant = (): Draft => {
    const last = messages.at(-1);
    if (last?.role === 'assistant' && reasoning === undefined) return last;
    const begun: Draft = { role: 'assistant', content: [], reasoning };
    reasoning = undefined;
    messages.push(begun);
    return begun;
  };
  const addCall = (call: ToolCall) => {
    const message = assistant();
    message.toolCalls = [...(message.toolCalls ?? []), call];
  };
  for (const { item, param } of items) {
    switch (item.type) {
      case 'reasoning': {
        const text = (item.content ?? []).map((part) => part.text).join('\n');
        if (text !== '') reasoning = { type: 'text', text, param: `${param}.content` };
        break;
      }
      case 'function_call': {
        const { call_id: id, arguments: text } = item;
        const name = names.nameOf(toClientTool('function', item));
        addCall({ id, name, arguments: text, param: `${param}.arguments` });
        break;
      }
      case 'custom_tool_call': {
        const { call_id: id, input } = item;
        const name = names.nameOf(toClientTool('custom', item));
        addCall({ id, name, arguments: JSON.stringify({ input }), param: `${param}.input` });
        break;
      }
      case 'function_call_output':
      case 'custom_tool_call_output': {
        const content = toParts(item.output, `${param}.output`);
        messages.push({ role: 'tool', toolCallId: item.call_id, content });
        break;
      }
      case 'message': {
        const content = toParts(item.content, `${param}.content`);
        if (item.role !== 'assistant') messages.push({ role: item.role, content });
        else {
          const message = assistant();
          message.content = [...message.content, ...content];
        }
        break;
      }
      case 'additional_tools': // they are offered beside the others
        break;
      default:
        item satisfies never;
    }
  }
  return messages;
}

function toClientTool(
  type: ClientTool['type'],
  { name, namespace }: { name: string; namespace?: string | null | undefined },
): ClientTool {
  return { type, name, ...(namespace == null ? {} : { namespace }) };
}

type Content = Extract<ConversationItem, { type: 'message' }>['content'];

function toParts(content: Content, path: string): Message['content'] {
  if (typeof content === 'string') return [{ type: 'text', text: content, param: path }];
  return content.map((part, at) => {
    const param = `${path}.${at}`;
    switch (part.type) {
      case 'input_image':
        return { type: 'image', url: part.image_url, param, isLowDetail: part.detail === 'low' };
      case 'refusal':
        return { type: 'text', text: part.refusal, param: `${param}.refusal` };
      default:
        return { type: 'text', text: part.text, param: `${param}.text` };
    }
  });
}
