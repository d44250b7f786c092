import { randomUUID } from 'node:crypto';
import { InvalidRequestError } from '../../errors.ts';
import type { GenerationRequest } from '../../generation/request.ts';
import { toTools } from '../client-tool.ts';
import type { Dialect } from '../dialect.ts';
import { pick, runtimeParameters } from '../fields.ts';
import { readContinuation, readSpellings, readStops, readTokenLimit } from '../other-servers.ts';
import { findIgnored, type IgnoredFields, parseBody } from '../parse-body.ts';
import { toResponseFormat } from '../structured-output.ts';
import { beginResponse, finishResponse, toOutput } from './answer.ts';
import { type PlacedItem, toMessages } from './conversation.ts';
import { ResponseEvents } from './events.ts';
import { type ConversationItem, InputItem, ResponsesRequest } from './request.ts';
import type { ResponseBody, ResponseStore } from './store.ts';
import { type PlacedTools, toResponsesChoice, toResponsesToolNames } from './tools.ts';

const passedOn = runtimeParameters(ResponsesRequest);

/**
 * OpenAI's Responses. Not by mlx_vlm's own route: that one sleeps 10 ms after each token, numbers
 * no events, does not enforce `tool_choice` and keeps pictures in the runtime's memory.
 */
export function createResponsesDialect(store: ResponseStore): Dialect {
  return {
    read(body) {
      const request = parseBody(ResponsesRequest, body);
      const ignored = findIgnored(body, request);
      const previous = earlierItems(request, store);
      const input = ownItems(request, store);
      if (request.store !== false) keepImages(input);
      const suffix = randomUUID().replaceAll('-', '');
      const keep = (response: ResponseBody) => {
        if (request.store === false) return;
        const own = input.map(({ item }) => item);
        const answered = response.output.map((item) => InputItem.parse(item));
        const conversation = [...previous.map(({ item }) => item), ...own, ...answered];
        store.save({ body: response, input: own, conversation: conversation.filter(isKept) });
      };
      const begin = (head: Parameters<typeof beginResponse>[1]) =>
        beginResponse(`resp_${suffix}`, head, request, body);
      return {
        request: toGenerationRequest(request, [...previous, ...input], ignored),
        ignored,
        createEvents: (head) => new ResponseEvents(begin(head), suffix, keep),
        toBody(head, answers) {
          const [first] = answers;
          if (first === undefined) throw new TypeError('A response has one answer.');
          const response = finishResponse(begin(head), toOutput(suffix, first), first);
          keep(response);
          return response;
        },
      };
    },
  };
}

/** Keeps the images of a stored response, which are needed after this request. */
function keepImages(items: readonly PlacedItem[]): void {
  for (const { item } of items) {
    const content = item.type === 'message' ? item.content : 'output' in item ? item.output : [];
    for (const part of typeof content === 'string' ? [] : content) {
      if (part.type === 'input_image' && typeof part.image_url !== 'string') part.image_url.keep();
    }
  }
}

function isKept(item: InputItem): item is ConversationItem {
  return item.type !== 'item_reference';
}

function earlierItems(request: ResponsesRequest, store: ResponseStore): PlacedItem[] {
  const { previous_response_id: id } = request;
  const param = 'previous_response_id';
  if (id == null) return [];
  return store.get(id, param).conversation.map((item) => ({ item, param }));
}

function ownItems({ input }: ResponsesRequest, store: ResponseStore): PlacedItem[] {
  if (typeof input === 'string') {
    return [{ item: { type: 'message', role: 'user', content: input }, param: 'input' }];
  }
  return input.flatMap((item, index) => {
    const param = `input.${index}`;
    if (item === undefined) return [];
    if (item.type === 'compaction_trigger') throw new CompactionError(param);
    return [isKept(item) ? { item, param } : { item: store.item(item.id, param), param }];
  });
}

function toGenerationRequest(
  request: ResponsesRequest,
  items: readonly PlacedItem[],
  ignored: IgnoredFields,
): GenerationRequest {
  const { instructions, include, top_logprobs, text } = request;
  const asksLogprobs = include?.includes('message.output_text.logprobs') || (top_logprobs ?? 0) > 0;
  const own = pick(request, passedOn);
  const { parameters, ...wishes } = readSpellings(request, own, ignored);
  const at = { format: 'text.format', schema: 'text.format.schema' };
  const format = toResponseFormat(request, text?.format ?? undefined, at, ignored);
  const first = instructions == null ? [] : [toInstructions(instructions)];
  const names = toResponsesToolNames(toolsOf(request, items));
  return {
    model: request.model ?? undefined,
    ...readContinuation(request, toMessages([...first, ...items], names)),
    params: { messages: 'input', schema: format.param },
    stream: request.stream === true,
    answers: 1,
    seed: request.seed ?? undefined,
    maxTokens: readTokenLimit(request, 'max_output_tokens', ignored),
    stops: readStops(request, 'stop', ignored),
    tools: toTools(names, toResponsesChoice(request.tool_choice), ignored),
    parallelToolCalls: request.parallel_tool_calls !== false,
    parameters: {
      ...parameters,
      ...(asksLogprobs ? { logprobs: true, top_logprobs: top_logprobs ?? 0 } : {}),
      ...format.parameters,
    },
    ...wishes,
  };
}

class CompactionError extends InvalidRequestError {
  constructor(param: string) {
    super(
      `Expected \`${param}\` to be left out: this server does not compact conversations. Send a ` +
        'shorter one. Codex compacts by itself if the server is an entry of `model_providers`.',
      { param, code: 'compaction_not_supported' },
    );
  }
}

function toInstructions(text: string): PlacedItem {
  return { item: { type: 'message', role: 'system', content: text }, param: 'instructions' };
}

/** All the tools of a request: those of earlier requests are not inherited, but for their items. */
function toolsOf({ tools }: ResponsesRequest, items: readonly PlacedItem[]): PlacedTools[] {
  return [
    { tools: tools ?? [], param: 'tools' },
    ...items.flatMap(({ item, param }) =>
      item.type === 'additional_tools' ? [{ tools: item.tools, param: `${param}.tools` }] : [],
    ),
  ];
}
