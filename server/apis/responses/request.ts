import { z } from 'zod';
import { MAX_LIST_ITEMS, MAX_MESSAGES, MAX_WORDS } from '../../limits.ts';
import { ImageDetail } from '../chat/request.ts';
import { FunctionName } from '../client-tool.ts';
import {
  dropped,
  gateway,
  ImageText,
  ignored,
  JsonObject,
  JsonSchema,
  noEffect,
  refused,
  repeated,
} from '../fields.ts';
import { otherServers, Reasoning } from '../other-servers.ts';
import { Seed, sampling, TokenLimit } from '../parameters.ts';
import { ResponsesToolChoice, ResponsesTools } from './tools.ts';

const InputText = z.object({ type: z.literal('input_text'), text: z.string() });
const OutputText = z.object({
  type: z.literal('output_text'),
  text: z.string(),
  annotations: repeated,
  logprobs: repeated,
});
const Refusal = z.object({ type: z.literal('refusal'), refusal: z.string() });
const InputImage = z.object({
  type: z.literal('input_image'),
  image_url: ImageText,
  file_id: z.null({ error: 'left out: there are no files here; send `image_url`' }).optional(),
  detail: ImageDetail,
});
const Output = z.union([
  z.string(),
  z.array(z.discriminatedUnion('type', [InputText, InputImage])).max(MAX_LIST_ITEMS),
]);
/** What items of our own answers have beside their content. */
const ofAnswers = { id: repeated, status: repeated };

/** One turn of the conversation; an earlier answer has the parts of an answer. */
const MessageItem = z.object({
  type: z.literal('message'),
  ...ofAnswers,
  role: z.enum(['user', 'assistant', 'system', 'developer']),
  content: z.union([
    z.string(),
    z
      .array(z.discriminatedUnion('type', [InputText, InputImage, OutputText, Refusal]))
      .max(MAX_LIST_ITEMS),
  ]),
});
const FunctionCallItem = z.object({
  type: z.literal('function_call'),
  ...ofAnswers,
  call_id: z.string(),
  namespace: z.string().nullish(),
  name: z.string(),
  arguments: z.string(),
});
const FunctionCallOutputItem = z.object({
  type: z.literal('function_call_output'),
  ...ofAnswers,
  call_id: z.string(),
  output: Output,
});
const CustomToolCallItem = z.object({
  type: z.literal('custom_tool_call'),
  ...ofAnswers,
  call_id: z.string(),
  namespace: z.string().nullish(),
  name: z.string(),
  input: z.string(),
});
const CustomToolCallOutputItem = z.object({
  type: z.literal('custom_tool_call_output'),
  ...ofAnswers,
  call_id: z.string(),
  output: Output,
});
/** Tools beside those of `tools`, which is where Codex has its own. */
const AdditionalToolsItem = z.object({
  type: z.literal('additional_tools'),
  ...ofAnswers,
  role: z.string().nullish(),
  tools: ResponsesTools,
});
const ReasoningItem = z.object({
  type: z.literal('reasoning'),
  ...ofAnswers,
  summary: repeated,
  encrypted_content: repeated,
  content: z
    .array(z.object({ type: z.literal('reasoning_text'), text: z.string() }))
    .max(MAX_LIST_ITEMS)
    .nullish(),
});
/** An item of an earlier answer that this server has kept. */
const ItemReference = z.object({ type: z.literal('item_reference'), id: z.string() });

/** Asks for the conversation in a shorter form; ignored, it would be answered as a question. */
const CompactionTrigger = z.object({ type: z.literal('compaction_trigger') });

const TYPES = [
  'message',
  'function_call',
  'function_call_output',
  'custom_tool_call',
  'custom_tool_call_output',
  'additional_tools',
  'reasoning',
  'item_reference',
  'compaction_trigger',
];
/** What only OpenAI's or a client's own tools could read: ignored and reported. */
const OtherItem = z
  .object({
    type: z.string().refine((type) => !TYPES.includes(type), { error: 'the type of an item' }),
  })
  .transform(() => undefined);

/**
 * One item of the input of `POST /v1/responses`. A message may come without its type, and so may, in
 * Open Responses, a reference.
 */
export const InputItem = z.preprocess(
  (item) => {
    if (typeof item !== 'object' || item === null || ('type' in item && item.type !== null)) {
      return item;
    }
    const isReference = 'id' in item && !('role' in item);
    return { ...item, type: isReference ? 'item_reference' : 'message' };
  },
  z.discriminatedUnion('type', [
    MessageItem,
    FunctionCallItem,
    FunctionCallOutputItem,
    CustomToolCallItem,
    CustomToolCallOutputItem,
    AdditionalToolsItem,
    ReasoningItem,
    ItemReference,
  ]),
);
export type InputItem = z.infer<typeof InputItem>;
/** One that a client may send: another item than those is ignored. */
export const GivenItem = z.union([InputItem, CompactionTrigger, OtherItem]);
/** An item with nothing left to look up. */
export type ConversationItem = Exclude<InputItem, { type: 'item_reference' }>;

const Format = z.discriminatedUnion('type', [
  z.object({ type: z.literal('text') }),
  z.object({ type: z.literal('json_object'), schema: JsonSchema.nullish() }),
  z.object({
    type: z.literal('json_schema'),
    name: FunctionName,
    description: z.string().nullish(),
    schema: JsonSchema,
    strict: z.boolean().nullish(),
  }),
]);
const hint = 'the prefix cache needs no hint';
const local = 'requests stay on this Mac';
const test = 'test/contract/responses.test.ts';

/** The body of `POST /v1/responses`, after OpenAI's API reference; null means not given. */
export const ResponsesRequest = z.object({
  ...otherServers,
  input: z.union([z.string(), z.array(GivenItem).min(1).max(MAX_MESSAGES)]).meta({
    effect: 'gateway',
    note: 'text, or items: `message` (`input_text`, `input_image`, `output_text`), `function_call` and `custom_tool_call` with their outputs (with images too), `additional_tools`, `reasoning`, `item_reference`; items of other types are ignored and reported',
    test,
  }),
  model: gateway(
    z.string().max(256),
    'any name: the loaded model answers, and the response repeats the name',
    test,
  ),
  instructions: gateway(z.string(), 'the first system message; not inherited', test),
  stream: gateway(z.boolean(), 'not queued', test),
  stream_options: gateway(
    z.object({ include_obfuscation: z.boolean().nullish() }),
    'streams are not obfuscated',
    test,
  ),
  max_output_tokens: gateway(
    TokenLimit,
    'the model’s context is always a limit; -1 means no other one',
    test,
  ),
  previous_response_id: gateway(
    z.string(),
    'kept in memory, up to `--response-store-megabytes`',
    test,
  ),
  store: gateway(z.boolean(), 'whether the response is kept; the default is true', test),
  ...sampling,
  top_logprobs: gateway(z.int().min(0).max(20), 'also turns logprobs on', test),
  include: gateway(
    z
      .array(
        z.union([z.enum(['message.output_text.logprobs', 'reasoning.encrypted_content']), dropped]),
      )
      .max(MAX_WORDS),
    '`message.output_text.logprobs`; reasoning is never encrypted. Other values concern tools that OpenAI hosts: ignored and reported',
    test,
  ),
  text: gateway(
    z.object({ format: Format.nullish(), verbosity: ignored('', z.literal('medium')) }),
    '`format`: `text`, `json_object`, `json_schema`; `verbosity` is ignored and reported',
    test,
  ),
  reasoning: gateway(
    Reasoning.extend({ summary: z.string().nullish(), generate_summary: z.string().nullish() }),
    '`effort`; the full reasoning is returned as `reasoning_text`, never a summary',
    test,
  ),
  tools: gateway(
    ResponsesTools,
    '`function`, `custom` and `namespace`, which run at the client, also in an item `additional_tools`. The model is offered functions; calls come back as the tools were sent. The grammar of a custom tool holds a call that is forced. Tools of other types are ignored and reported: OpenAI’s own run at OpenAI',
    test,
  ),
  tool_choice: gateway(
    ResponsesToolChoice,
    '`required` and a name force a call, with every model',
    'test/e2e/forced-call.test.ts',
  ),
  parallel_tool_calls: gateway(z.boolean(), 'false ends the answer after its first call', test),
  truncation: gateway(
    z.enum(['auto', 'disabled']),
    'a conversation that is too long is refused, with `auto` too',
    test,
  ),
  background: gateway(z.literal(false), 'answers are returned or streamed right away', test),
  metadata: gateway(JsonObject, 'repeated in the response', test),
  seed: gateway(Seed, 'not OpenAI’s; as in chat completions', test),
  max_tool_calls: noEffect(z.int(), 'it counts calls of tools that OpenAI hosts'),
  user: noEffect(z.string(), local),
  safety_identifier: noEffect(z.string(), local),
  service_tier: noEffect(z.string(), 'there is only one tier'),
  prompt_cache_key: noEffect(z.string(), hint),
  prompt_cache_options: noEffect(JsonObject, hint),
  prompt_cache_retention: noEffect(z.string(), hint),
  access_programs: refused('it only has a meaning at OpenAI'),
  conversation: refused('conversations are not kept; send `previous_response_id`'),
  image: refused('this server does not generate images'),
  moderation: refused('this server does not moderate content'),
  prompt: refused('prompts are not stored; send `instructions` and `input`'),
});
export type ResponsesRequest = z.infer<typeof ResponsesRequest>;
