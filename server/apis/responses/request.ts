import { z } from 'zod';
import { MAX_LIST_ITEMS, MAX_MESSAGES, MAX_WORDS } from '../../limits.ts';
import { ImageDetail } from '../chat/request.ts';
import { FunctionName } from '../client-tool.ts';
import {
  CallArguments,
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
import { commonParameters, Reasoning, Seed, sampling, TokenLimit } from '../parameters.ts';
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
  file_id: z
    .null({ error: 'left out, since this server stores no files; send `image_url` instead' })
    .optional(),
  detail: ImageDetail,
});
const Output = z.union([
  z.string(),
  z.array(z.discriminatedUnion('type', [InputText, InputImage])).max(MAX_LIST_ITEMS),
]);
/** Fields of output items that clients send back. */
const outputFields = { id: repeated, status: repeated };

/** One message of the conversation, including earlier answers. */
const MessageItem = z.object({
  type: z.literal('message'),
  ...outputFields,
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
  ...outputFields,
  call_id: z.string(),
  namespace: z.string().nullish(),
  name: z.string(),
  arguments: CallArguments,
});
const FunctionCallOutputItem = z.object({
  type: z.literal('function_call_output'),
  ...outputFields,
  call_id: z.string(),
  output: Output,
});
const CustomToolCallItem = z.object({
  type: z.literal('custom_tool_call'),
  ...outputFields,
  call_id: z.string(),
  namespace: z.string().nullish(),
  name: z.string(),
  input: z.string(),
});
const CustomToolCallOutputItem = z.object({
  type: z.literal('custom_tool_call_output'),
  ...outputFields,
  call_id: z.string(),
  output: Output,
});
/** Tools in addition to `tools`. Codex sends its own tools this way. */
const AdditionalToolsItem = z.object({
  type: z.literal('additional_tools'),
  ...outputFields,
  role: z.string().nullish(),
  tools: ResponsesTools,
});
const ReasoningItem = z.object({
  type: z.literal('reasoning'),
  ...outputFields,
  summary: repeated,
  encrypted_content: repeated,
  content: z
    .array(z.object({ type: z.literal('reasoning_text'), text: z.string() }))
    .max(MAX_LIST_ITEMS)
    .nullish(),
});
/** Refers to an item of a stored response. */
const ItemReference = z.object({ type: z.literal('item_reference'), id: z.string() });

/** Requests a shorter form of the conversation. Refused, since ignoring it would produce an answer. */
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
/** An item of any other type, such as a call of a hosted tool: ignored and reported. */
const OtherItem = z
  .object({
    type: z.string().refine((type) => !TYPES.includes(type), { error: 'the type of an item' }),
  })
  .transform(() => undefined);

/**
 * An input item of `POST /v1/responses`. The type may be missing in a message and, in Open Responses,
 * in a reference.
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
/** An item that a client may send, including those that are refused or ignored. */
const GivenItem = z.union([InputItem, CompactionTrigger, OtherItem]);

/** An item whose reference, if it was one, has been resolved. */
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
const hint = 'caching is automatic';
const local = 'requests stay on this Mac';
const test = 'test/contract/responses.test.ts';

/** The body of `POST /v1/responses`, following OpenAI's API reference. Null means not set. */
export const ResponsesRequest = z.object({
  ...commonParameters,
  input: z.union([z.string(), z.array(GivenItem).min(1).max(MAX_MESSAGES)]).meta({
    effect: 'gateway',
    note: 'text, or items: `message` (`input_text`, `input_image`, `output_text`), `function_call` and `custom_tool_call` with their outputs (with images too), `additional_tools`, `reasoning`, `item_reference`; items of other types are ignored and reported',
    test,
  }),
  model: gateway(
    z.string().max(256),
    'any name; the loaded model answers, and the response repeats the name',
    test,
  ),
  instructions: gateway(
    z.string(),
    'the first system message; not inherited from the previous response',
    test,
  ),
  stream: gateway(z.boolean(), 'not queued', test),
  stream_options: gateway(
    z.object({ include_obfuscation: z.boolean().nullish() }),
    'streams are not obfuscated',
    test,
  ),
  max_output_tokens: gateway(TokenLimit, '-1 means no limit other than the model’s context', test),
  previous_response_id: gateway(
    z.string(),
    'responses are kept in memory, up to `--response-store-megabytes`',
    test,
  ),
  store: gateway(z.boolean(), 'whether to keep the response; true by default', test),
  ...sampling,
  top_logprobs: gateway(z.int().min(0).max(20), 'also turns on logprobs', test),
  include: gateway(
    z
      .array(
        z.union([z.enum(['message.output_text.logprobs', 'reasoning.encrypted_content']), dropped]),
      )
      .max(MAX_WORDS),
    '`message.output_text.logprobs`; reasoning is never encrypted. Other values are for tools that OpenAI hosts, and are ignored and reported',
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
    '`function`, `custom` and `namespace`, which the client runs, also in an `additional_tools` item. The model is offered functions, and calls are returned in the form of the original tools. The grammar of a custom tool is enforced if the call is forced. Tools of other types, such as OpenAI’s hosted tools, are ignored and reported',
    test,
  ),
  tool_choice: gateway(
    ResponsesToolChoice,
    '`required` and a name force a call with every model',
    'test/e2e/forced-call.test.ts',
  ),
  parallel_tool_calls: gateway(z.boolean(), 'false ends the answer after its first call', test),
  truncation: gateway(
    z.enum(['auto', 'disabled']),
    'a conversation that is too long is refused, even with `auto`',
    test,
  ),
  background: gateway(z.literal(false), 'responses are returned or streamed immediately', test),
  metadata: gateway(JsonObject, 'repeated in the response', test),
  seed: gateway(Seed, 'not part of OpenAI’s API; as in chat completions', test),
  max_tool_calls: noEffect(z.int(), 'limits calls of tools that OpenAI hosts'),
  user: noEffect(z.string(), local),
  safety_identifier: noEffect(z.string(), local),
  service_tier: noEffect(z.string(), 'there is only one tier'),
  prompt_cache_key: noEffect(z.string(), hint),
  prompt_cache_options: noEffect(JsonObject, hint),
  prompt_cache_retention: noEffect(z.string(), hint),
  access_programs: refused('only meaningful at OpenAI'),
  conversation: refused('conversations are not stored; send `previous_response_id`'),
  image: refused('this server does not generate images'),
  moderation: refused('this server does not moderate content'),
  prompt: refused('prompts are not stored; send `instructions` and `input`'),
});
export type ResponsesRequest = z.infer<typeof ResponsesRequest>;
