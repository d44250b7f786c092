import type { ImagePart, Message, TextPart } from '../../generation/conversation.ts';
import type { LongText } from '../../images/long-text.ts';
import type { AnthropicMessage, MessagesRequest } from './request.ts';

type UserBlock = Exclude<Extract<AnthropicMessage, { role: 'user' }>['content'], string>[number];
type ToolResult = Extract<UserBlock, { type: 'tool_result' }>;
type ShownBlock = Exclude<UserBlock, ToolResult>;
type AssistantBlock = Exclude<
  Extract<AnthropicMessage, { role: 'assistant' }>['content'],
  string
>[number];

interface Placed<Block> {
  block: Block;
  param: string;
}

/** The messages that Anthropic's stand for; results of tools are messages of their own. */
export function toMessages({ system, messages }: MessagesRequest): Message[] {
  const told = system == null ? [] : toShown(system, 'system');
  return [
    ...(told.length === 0 ? [] : [{ role: 'system' as const, content: told }]),
    ...messages.flatMap((message, index) => {
      const path = `messages.${index}.content`;
      return message.role === 'user'
        ? fromUser(message.content, path)
        : [fromAssistant(message.content, path)];
    }),
  ];
}

function fromUser(content: string | readonly UserBlock[], path: string): Message[] {
  if (typeof content === 'string') return [{ role: 'user', content: toShown(content, path) }];
  const blocks = place(content, path);
  const results = blocks.flatMap(({ block, param }) =>
    block.type === 'tool_result' ? [{ block, param }] : [],
  );
  const rest = blocks.flatMap(({ block, param }) =>
    block.type === 'tool_result' ? [] : [toPart(block, param)],
  );
  return [
    ...results.map(fromToolResult),
    ...(rest.length === 0 ? [] : [{ role: 'user' as const, content: rest }]),
  ];
}

function fromToolResult({ block, param }: Placed<ToolResult>): Message {
  const content = toShown(block.content ?? '', `${param}.content`);
  return { role: 'tool', toolCallId: block.tool_use_id, content };
}

function fromAssistant(content: string | readonly AssistantBlock[], path: string): Message {
  if (typeof content === 'string') return { role: 'assistant', content: toShown(content, path) };
  const parts: TextPart[] = [];
  const toolCalls: NonNullable<Message['toolCalls']>[number][] = [];
  let reasoning: TextPart | undefined;
  for (const { block, param } of place(content, path)) {
    switch (block.type) {
      case 'text':
        parts.push({ type: 'text', text: block.text, param: `${param}.text` });
        break;
      case 'thinking':
        reasoning = { type: 'text', text: block.thinking, param: `${param}.thinking` };
        break;
      case 'tool_use': {
        const { id, name, input } = block;
        toolCalls.push({ id, name, arguments: JSON.stringify(input), param: `${param}.input` });
        break;
      }
      case 'redacted_thinking': // only Anthropic could read it
        break;
      default:
        block satisfies never;
    }
  }
  return { role: 'assistant', content: parts, reasoning, toolCalls };
}

function toShown(content: string | readonly ShownBlock[], path: string) {
  if (typeof content === 'string') {
    return [{ type: 'text', text: content, param: path } satisfies TextPart];
  }
  return place(content, path).map(({ block, param }) => toPart(block, param));
}

function toPart(block: ShownBlock, param: string): TextPart | ImagePart {
  switch (block.type) {
    case 'text':
      return { type: 'text', text: block.text, param: `${param}.text` };
    case 'document':
      return { type: 'text', text: block.source.data, param: `${param}.source.data` };
    case 'image': {
      return { type: 'image', url: toUrl(block.source), param };
    }
    default:
      return block satisfies never;
  }
}

function toUrl(source: Extract<ShownBlock, { type: 'image' }>['source']): string | LongText {
  if (source.type === 'url') return source.url;
  const { media_type, data } = source;
  return typeof data === 'string' ? `data:${media_type};base64,${data}` : data.asBase64();
}

function place<Block>(blocks: readonly Block[], path: string): Placed<Block>[] {
  return blocks.map((block, at) => ({ block, param: `${path}.${at}` }));
}
