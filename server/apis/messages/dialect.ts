import type { ImagePart, Message, TextPart } from '../../generation/conversation.ts';
import type { GenerationRequest } from '../../generation/request.ts';
import { ToolNames } from '../../generation/tools.ts';
import type { LongText } from '../../long-text.ts';
import { type GivenTool, type ToolChoice, toTools } from '../client-tool.ts';
import type { Dialect } from '../dialect.ts';
import { findIgnored, type IgnoredFields, parseBody } from '../parse-body.ts';
import {
  pick,
  readAliases,
  readContinuation,
  readStops,
  readTokenLimit,
  runtimeParameters,
} from '../read-parameters.ts';
import { toResponseFormat } from '../structured-output.ts';
import { MessageEvents, toMessageBody } from './answer.ts';
import { type AnthropicMessage, MessagesRequest } from './request.ts';
import { describeTool } from './tools.ts';

type UserBlock = Exclude<Extract<AnthropicMessage, { role: 'user' }>['content'], string>[number];
type ToolResult = Extract<UserBlock, { type: 'tool_result' }>;
type ContentBlock = Exclude<UserBlock, ToolResult>;
type AssistantBlock = Exclude<
  Extract<AnthropicMessage, { role: 'assistant' }>['content'],
  string
>[number];

const forwarded = runtimeParameters(MessagesRequest);

/** Anthropic's fields for mlx_vlm's thinking parameters. */
const thinkingFields = {
  enable_thinking: ['thinking'],
  reasoning_effort: ['output_config', 'effort'],
  thinking_budget: ['thinking', 'budget_tokens'],
};

/**
 * Anthropic's Messages API. mlx_vlm's own `/v1/messages` is not used: it finds stop sequences only
 * after streaming them, and keeps generating.
 */
export const messagesDialect: Dialect = {
  read(body) {
    const request = parseBody(MessagesRequest, body);
    const ignored = findIgnored(body, request);
    const showsThinking = request.thinking != null && request.thinking.type !== 'disabled';
    return {
      request: toGenerationRequest(request, ignored),
      ignored,
      createEvents: (head) => new MessageEvents(head, showsThinking),
      toBody(head, answers) {
        const [first] = answers;
        if (first === undefined) throw new TypeError('A message needs exactly one answer.');
        return toMessageBody(head, first, showsThinking);
      },
    };
  },
};

function toGenerationRequest(request: MessagesRequest, ignored: IgnoredFields): GenerationRequest {
  const own = { ...pick(request, forwarded), ...toThinking(request) };
  const { thinking: _, ...others } = request;
  const { parameters, ...aliases } = readAliases(others, own, ignored, thinkingFields);
  const choice = request.tool_choice;
  const format = toResponseFormat(
    request,
    request.output_config?.format ?? undefined,
    { format: 'output_config.format', schema: 'output_config.format.schema' },
    ignored,
  );
  const allowsOneCall =
    choice != null &&
    'disable_parallel_tool_use' in choice &&
    choice.disable_parallel_tool_use === true;
  return {
    model: request.model ?? undefined,
    ...readContinuation(request, toMessages(request), 'messages'),
    params: { messages: 'messages', schema: format.param },
    stream: request.stream === true,
    answerCount: 1,
    seed: request.seed ?? undefined,
    maxTokens: readTokenLimit(request, 'max_tokens', ignored),
    stopSequences: readStops(request, 'stop_sequences', ignored),
    tools: toTools(new ToolNames(toGivenTools(request)), toChoice(request), ignored),
    parallelToolCalls: !allowsOneCall,
    parameters: { ...parameters, ...format.parameters },
    ...aliases,
  };
}

function toThinking({ thinking, output_config }: MessagesRequest) {
  const effort = output_config?.effort;
  return {
    ...(thinking == null ? {} : { enable_thinking: thinking.type !== 'disabled' }),
    ...(thinking?.type === 'enabled' && thinking.budget_tokens != null
      ? { thinking_budget: thinking.budget_tokens }
      : {}),
    ...(effort == null ? {} : { reasoning_effort: effort }),
  };
}

function toGivenTools({ tools }: MessagesRequest): GivenTool[] {
  return (tools ?? []).flatMap((tool, index): GivenTool[] => {
    if (tool === undefined) return [];
    const place = { param: `tools.${index}`, field: 'input_schema' };
    if (!('input_schema' in tool)) {
      return [{ type: 'function', name: tool.name, ...describeTool(tool), ...place }];
    }
    const { name, description, strict, input_schema: parameters } = tool;
    return [{ type: 'function', name, description, strict, parameters, ...place }];
  });
}

function toChoice({ tool_choice: choice }: MessagesRequest): ToolChoice | undefined {
  switch (choice?.type) {
    case undefined:
      return undefined;
    case 'any':
      return 'required';
    case 'tool':
      return { mode: 'required', tools: [{ type: 'function', name: choice.name }] };
    default:
      return choice?.type;
  }
}

/** Converts Anthropic's messages. Each tool result becomes its own message. */
function toMessages({ system, messages }: MessagesRequest): Message[] {
  const instructions = system == null ? [] : toParts(system, 'system');
  return [
    ...(instructions.length === 0 ? [] : [{ role: 'system' as const, content: instructions }]),
    ...messages.flatMap((message, index) => {
      const path = `messages.${index}.content`;
      return message.role === 'user'
        ? fromUser(message.content, path)
        : [fromAssistant(message.content, path)];
    }),
  ];
}

function fromUser(content: string | readonly UserBlock[], path: string): Message[] {
  if (typeof content === 'string') return [{ role: 'user', content: toParts(content, path) }];
  const blocks = withPaths(content, path);
  const results = blocks.flatMap(({ block, param }) =>
    block.type === 'tool_result' ? [fromToolResult(block, param)] : [],
  );
  const rest = blocks.flatMap(({ block, param }) =>
    block.type === 'tool_result' ? [] : [toPart(block, param)],
  );
  return [...results, ...(rest.length === 0 ? [] : [{ role: 'user' as const, content: rest }])];
}

function fromToolResult(block: ToolResult, param: string): Message {
  const content = toParts(block.content ?? '', `${param}.content`);
  return { role: 'tool', toolCallId: block.tool_use_id, content };
}

function fromAssistant(content: string | readonly AssistantBlock[], path: string): Message {
  if (typeof content === 'string') return { role: 'assistant', content: toParts(content, path) };
  const parts: TextPart[] = [];
  const toolCalls: NonNullable<Message['toolCalls']>[number][] = [];
  let reasoning: TextPart | undefined;
  for (const { block, param } of withPaths(content, path)) {
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
      case 'redacted_thinking': // encrypted by Anthropic
        break;
      default:
        block satisfies never;
    }
  }
  return { role: 'assistant', content: parts, reasoning, toolCalls };
}

function toParts(content: string | readonly ContentBlock[], path: string) {
  if (typeof content === 'string') {
    return [{ type: 'text', text: content, param: path } satisfies TextPart];
  }
  return withPaths(content, path).map(({ block, param }) => toPart(block, param));
}

function toPart(block: ContentBlock, param: string): TextPart | ImagePart {
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

function toUrl(source: Extract<ContentBlock, { type: 'image' }>['source']): string | LongText {
  if (source.type === 'url') return source.url;
  const { media_type, data } = source;
  return typeof data === 'string' ? `data:${media_type};base64,${data}` : data.asBase64();
}

function withPaths<Block>(blocks: readonly Block[], path: string) {
  return blocks.map((block, index) => ({ block, param: `${path}.${index}` }));
}
