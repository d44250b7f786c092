import { randomUUID } from 'node:crypto';
import { InvalidRequestError } from '../../errors.ts';
import type { Message, TextPart, ToolCall } from '../../generation/conversation.ts';
import type { GenerationRequest } from '../../generation/request.ts';
import type { ClientTool, ToolNames } from '../../generation/tools.ts';
import { toTools } from '../client-tool.ts';
import type { AnswerHead, Dialect } from '../dialect.ts';
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
import { createResponse, finishResponse, toOutput } from './answer.ts';
import { ResponseEvents } from './events.ts';
import { type ConversationItem, InputItem, ResponsesRequest } from './request.ts';
import type { ResponseBody, ResponseStore } from './store.ts';
import { type PlacedTools, toResponsesChoice, toResponsesToolNames } from './tools.ts';

const forwarded = runtimeParameters(ResponsesRequest);

/** An item and its path in the client's body. */
interface PlacedItem {
  item: ConversationItem;
  param: string;
}

/**
 * OpenAI's Responses API. mlx_vlm's own `/v1/responses` is not used: it sleeps 10 ms after each
 * token, does not number events or enforce `tool_choice`, and keeps images in the runtime's memory.
 */
export function createResponsesDialect(store: ResponseStore): Dialect {
  return {
    read(body) {
      const request = parseBody(ResponsesRequest, body);
      const ignored = findIgnored(body, request);
      const previous = previousItems(request, store);
      const input = inputItems(request, store);
      if (request.store !== false) keepImages(input);
      const suffix = randomUUID().replaceAll('-', '');
      const save = (response: ResponseBody) => {
        if (request.store === false) return;
        const own = input.map(({ item }) => item);
        const output = response.output.map((item) => InputItem.parse(item));
        const conversation = [...previous.map(({ item }) => item), ...own, ...output];
        store.save({ body: response, input: own, conversation: conversation.filter(isResolved) });
      };
      const create = (head: AnswerHead) => createResponse(`resp_${suffix}`, head, request, body);
      return {
        request: toGenerationRequest(request, [...previous, ...input], ignored),
        ignored,
        createEvents: (head) => new ResponseEvents(create(head), suffix, save),
        toBody(head, answers) {
          const [first] = answers;
          if (first === undefined) throw new TypeError('A response needs exactly one answer.');
          const response = finishResponse(create(head), toOutput(suffix, first), first);
          save(response);
          return response;
        },
      };
    },
  };
}

/** Keeps the images of a response that will be stored, since later requests may need them. */
function keepImages(items: readonly PlacedItem[]): void {
  for (const { item } of items) {
    const content = item.type === 'message' ? item.content : 'output' in item ? item.output : [];
    for (const part of typeof content === 'string' ? [] : content) {
      if (part.type === 'input_image' && typeof part.image_url !== 'string') part.image_url.keep();
    }
  }
}

function isResolved(item: InputItem): item is ConversationItem {
  return item.type !== 'item_reference';
}

function previousItems(request: ResponsesRequest, store: ResponseStore): PlacedItem[] {
  const { previous_response_id: id } = request;
  const param = 'previous_response_id';
  if (id == null) return [];
  return store.get(id, param).conversation.map((item) => ({ item, param }));
}

function inputItems({ input }: ResponsesRequest, store: ResponseStore): PlacedItem[] {
  if (typeof input === 'string') {
    return [{ item: { type: 'message', role: 'user', content: input }, param: 'input' }];
  }
  return input.flatMap((item, index) => {
    const param = `input.${index}`;
    if (item === undefined) return [];
    if (item.type === 'compaction_trigger') throw createCompactionError(param);
    return [isResolved(item) ? { item, param } : { item: store.item(item.id, param), param }];
  });
}

function createCompactionError(param: string): InvalidRequestError {
  return new InvalidRequestError(
    `This server does not compact conversations. Remove \`${param}\` and send a shorter ` +
      'conversation. Codex compacts locally if the server is listed under `model_providers`.',
    { param, code: 'compaction_not_supported' },
  );
}

function toGenerationRequest(
  request: ResponsesRequest,
  items: readonly PlacedItem[],
  ignored: IgnoredFields,
): GenerationRequest {
  const { instructions, include, top_logprobs, text } = request;
  const hasLogprobs = include?.includes('message.output_text.logprobs') || (top_logprobs ?? 0) > 0;
  const own = pick(request, forwarded);
  const { parameters, ...aliases } = readAliases(request, own, ignored);
  const paths = { format: 'text.format', schema: 'text.format.schema' };
  const format = toResponseFormat(request, text?.format ?? undefined, paths, ignored);
  const first = instructions == null ? [] : [toInstructions(instructions)];
  const names = toResponsesToolNames(toolsOf(request, items));
  return {
    model: request.model ?? undefined,
    ...readContinuation(request, toMessages([...first, ...items], names)),
    params: { messages: 'input', schema: format.param },
    stream: request.stream === true,
    answerCount: 1,
    seed: request.seed ?? undefined,
    maxTokens: readTokenLimit(request, 'max_output_tokens', ignored),
    stopSequences: readStops(request, 'stop', ignored),
    tools: toTools(names, toResponsesChoice(request.tool_choice), ignored),
    parallelToolCalls: request.parallel_tool_calls !== false,
    parameters: {
      ...parameters,
      ...(hasLogprobs ? { logprobs: true, top_logprobs: top_logprobs ?? 0 } : {}),
      ...format.parameters,
    },
    ...aliases,
  };
}

function toInstructions(text: string): PlacedItem {
  return { item: { type: 'message', role: 'system', content: text }, param: 'instructions' };
}

/** The tools in `tools` and in items. Only those in items carry over from earlier requests. */
function toolsOf({ tools }: ResponsesRequest, items: readonly PlacedItem[]): PlacedTools[] {
  return [
    { tools: tools ?? [], param: 'tools' },
    ...items.flatMap(({ item, param }) =>
      item.type === 'additional_tools' ? [{ tools: item.tools, param: `${param}.tools` }] : [],
    ),
  ];
}

type Draft = { -readonly [Field in keyof Message]: Message[Field] };

/**
 * Converts the items of a conversation to messages. The reasoning, text and tool calls of one answer
 * are separate items, and become one assistant message.
 */
function toMessages(items: readonly PlacedItem[], names: ToolNames): Message[] {
  const messages: Draft[] = [];
  let reasoning: TextPart | undefined;
  const assistant = (): Draft => {
    const last = messages.at(-1);
    if (last?.role === 'assistant' && reasoning === undefined) return last;
    const message: Draft = { role: 'assistant', content: [], reasoning };
    reasoning = undefined;
    messages.push(message);
    return message;
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
      case 'additional_tools': // see `toolsOf`
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
  return content.map((part, index) => {
    const param = `${path}.${index}`;
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
