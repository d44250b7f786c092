import { z } from 'zod';
import {
  MAX_LIST_ITEMS,
  MAX_MESSAGES,
  MAX_TOOL_CALLS,
  MAX_TOOLS,
  MAX_WORDS,
} from '../../limits.ts';
import { customTool, FunctionName, functionTool, otherTool } from '../client-tool.ts';
import {
  CallArguments,
  gateway,
  ImageText,
  JsonObject,
  JsonSchema,
  noEffect,
  refused,
  repeated,
  runtime,
} from '../fields.ts';
import {
  commonParameters,
  ReasoningEffort,
  Seed,
  StopSequences,
  sampling,
  TokenLimit,
} from '../parameters.ts';

/** How much detail of an image the model sees. `low` scales it down, as in OpenAI's API. */
export const ImageDetail = z.enum(['auto', 'low', 'high', 'original']).nullish();

const TextPart = z.object({ type: z.literal('text'), text: z.string() });
const RefusalPart = z.object({ type: z.literal('refusal'), refusal: z.string() });

/** Some clients send just the URL instead of OpenAI's `{ url, detail }`. */
const ImageUrl = z.union([
  z.object({ url: ImageText, detail: ImageDetail }),
  ImageText.transform((url) => ({ url, detail: undefined })),
]);
const ImagePart = z.object({ type: z.literal('image_url'), image_url: ImageUrl });

const text = z.union([z.string(), z.array(TextPart).min(1).max(MAX_LIST_ITEMS)]);
const parts = z.array(z.discriminatedUnion('type', [TextPart, ImagePart])).max(MAX_LIST_ITEMS);
const textAndImages = z.union([z.string(), parts.min(1)]);
const name = z.string().nullish();

const InstructionMessage = z.object({ role: z.enum(['system', 'developer']), content: text, name });
const UserMessage = z.object({ role: z.literal('user'), content: textAndImages, name });
const toolCall = { id: z.string(), index: repeated };
const ChatToolCall = z.discriminatedUnion('type', [
  z.object({
    ...toolCall,
    type: z.literal('function'),
    function: z.object({ name: z.string(), arguments: CallArguments }),
  }),
  z.object({
    ...toolCall,
    type: z.literal('custom'),
    custom: z.object({ name: z.string(), input: z.string() }),
  }),
]);

/** A tool call in an earlier answer. */
export type ChatToolCall = z.infer<typeof ChatToolCall>;
const AssistantMessage = z.object({
  role: z.literal('assistant'),
  content: z
    .union([
      z.string(),
      z.array(z.discriminatedUnion('type', [TextPart, RefusalPart])).max(MAX_LIST_ITEMS),
    ])
    .nullish(),
  refusal: z.string().nullish(),
  annotations: repeated,
  reasoning_content: z.string().nullish(),
  tool_calls: z.array(ChatToolCall).max(MAX_TOOL_CALLS).nullish(),
  name,
});
const ToolMessage = z.object({
  role: z.literal('tool'),
  /** May be empty, since a tool may have no output. */
  content: z.union([z.string(), parts]),
  tool_call_id: z.string(),
});

/** One message of the conversation, with the roles of OpenAI's API. */
export const ChatMessage = z.discriminatedUnion('role', [
  InstructionMessage,
  UserMessage,
  AssistantMessage,
  ToolMessage,
]);
export type ChatMessage = z.infer<typeof ChatMessage>;

const ChatTool = z.union([
  z.object({ type: z.literal('function'), function: z.object(functionTool) }),
  z.object({ type: z.literal('custom'), custom: z.object(customTool) }),
  otherTool(['function', 'custom']),
]);

const NamedTool = z.discriminatedUnion('type', [
  z.object({ type: z.literal('function'), function: z.object({ name: FunctionName }) }),
  z.object({ type: z.literal('custom'), custom: z.object({ name: FunctionName }) }),
]);

/** A tool that `tool_choice` names. */
export type NamedTool = z.infer<typeof NamedTool>;

const ChatTools = z.array(ChatTool).max(MAX_TOOLS);
const ChatToolChoice = z.union([
  z.enum(['none', 'auto', 'required', 'any']), // `any` is Mistral's name of `required`
  NamedTool,
  z.object({ type: z.literal('tool'), name: FunctionName }), // Anthropic's form
  z.object({
    type: z.literal('allowed_tools'),
    allowed_tools: z.object({
      mode: z.enum(['auto', 'required']),
      tools: z.array(NamedTool).min(1).max(MAX_TOOLS),
    }),
  }),
]);

const NamedSchema = z.object({
  name: FunctionName.nullish(),
  description: z.string().nullish(),
  schema: JsonSchema,
  strict: z.boolean().nullish(),
});
const ResponseFormat = z.discriminatedUnion('type', [
  z.object({ type: z.literal('text') }),
  z.object({ type: z.literal('json_object'), schema: JsonSchema.nullish() }),
  z
    .object({
      type: z.literal('json_schema'),
      json_schema: NamedSchema.nullish(),
      schema: JsonSchema.nullish(), // llama.cpp's form
    })
    .refine(({ json_schema, schema }) => json_schema != null || schema != null, {
      path: ['json_schema'],
      error: 'an object with a `schema`',
    }),
]);

const isEmpty = (value: unknown) => Array.isArray(value) && value.length === 0;
const hint = 'caching is automatic';
const local = 'requests stay on this Mac';

/**
 * The body of `POST /v1/chat/completions`, following OpenAI's API reference. Null means not set. The
 * notes of the parameters appear in `docs/openai-compatibility.md`.
 */
export const ChatCompletionRequest = z.object({
  ...commonParameters,
  messages: z.array(ChatMessage).min(1).max(MAX_MESSAGES).meta({
    effect: 'gateway',
    note: 'roles `system`, `developer`, `user`, `assistant`, `tool`; images in messages of users and tools; `detail: low` scales an image down to at most 512 × 512',
    test: 'test/contract/messages.test.ts',
  }),
  model: gateway(
    z.string().max(256),
    'any name; the loaded model answers, and the response repeats the name',
  ),
  stream: gateway(z.boolean(), 'not queued', 'test/unit/apis/chat-completion.test.ts'),
  stream_options: gateway(
    z.object({ include_usage: z.boolean().nullish(), include_obfuscation: z.boolean().nullish() }),
    '`include_usage`; streams are not obfuscated, so `include_obfuscation` has no effect',
  ),
  max_completion_tokens: gateway(TokenLimit, '-1 means no limit other than the model’s context'),
  max_tokens: gateway(TokenLimit, 'the old name of `max_completion_tokens`'),
  n: gateway(
    z.int().min(1).max(128),
    'generated one after another in one queue slot, each with its own seed',
  ),
  seed: gateway(Seed, 'a signed 64-bit integer; random by default'),
  stop: gateway(
    StopSequences,
    'up to 64; the answer never contains any part of one',
    'test/unit/generation/stop-matcher.test.ts',
  ),
  ...sampling,
  logprobs: runtime(z.boolean()),
  top_logprobs: runtime(z.int().min(0).max(20), 'with `logprobs`'),
  response_format: gateway(
    ResponseFormat,
    '`text`, `json_object` (also with `schema`), `json_schema`; such an answer never calls tools',
    'test/contract/structured-output.test.ts',
  ),
  reasoning_effort: runtime(
    ReasoningEffort,
    'for models that think; the reasoning is returned in `reasoning_content`',
  ),
  tools: gateway(
    ChatTools,
    '`function` and `custom`, which the client runs; calls in the model’s own format are parsed. A custom tool is offered as a function with one string, and its grammar is enforced if the call is forced. Tools of other types are ignored and reported',
  ),
  tool_choice: gateway(
    ChatToolChoice,
    '`required` and a name force a call with every model',
    'test/e2e/forced-call.test.ts',
  ),
  parallel_tool_calls: gateway(z.boolean(), 'false ends the answer after its first call'),
  modalities: gateway(z.array(z.literal('text')).min(1).max(MAX_WORDS), '`["text"]` only'),
  user: noEffect(z.string(), local),
  safety_identifier: noEffect(z.string(), local),
  store: noEffect(z.boolean(), 'nothing is stored'),
  metadata: noEffect(JsonObject, 'nothing is stored'),
  service_tier: noEffect(z.string(), 'there is only one tier'),
  prediction: noEffect(JsonObject, 'only a hint for speed'),
  prompt_cache_key: noEffect(z.string(), hint),
  prompt_cache_options: noEffect(JsonObject, hint),
  prompt_cache_retention: noEffect(z.string(), hint),
  audio: refused('this server answers in text'),
  functions: refused('deprecated; send `tools`', { unless: isEmpty }),
  function_call: refused('deprecated; send `tool_choice`'),
  moderation: refused('this server does not moderate content'),
  web_search_options: refused('this server does not search the web'),
});
export type ChatCompletionRequest = z.infer<typeof ChatCompletionRequest>;
