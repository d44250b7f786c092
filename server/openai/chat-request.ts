import { z } from 'zod';

/** A text with half a character in it (a lone surrogate) is no text to a tokenizer. */
const Text = z.string().refine((text) => text.isWellFormed(), {
  error: 'well-formed Unicode, without lone surrogates',
});
const TextPart = z.object({ type: z.literal('text'), text: Text });

/** Some clients send the URL bare; OpenAI's form is `{ url, detail }`. */
const ImageUrl = z.union([
  z.object({ url: z.string(), detail: z.enum(['auto', 'low', 'high']).nullish() }),
  z.string().transform((url) => ({ url })),
]);
const ImagePart = z.object({ type: z.literal('image_url'), image_url: ImageUrl });

const text = z.union([Text, z.array(TextPart).min(1)]);
const name = z.string().nullish();

const InstructionMessage = z.object({ role: z.enum(['system', 'developer']), content: text, name });
const UserMessage = z.object({
  role: z.literal('user'),
  content: z.union([Text, z.array(z.discriminatedUnion('type', [TextPart, ImagePart])).min(1)]),
  name,
});
const ToolCall = z.object({
  id: z.string(),
  type: z.literal('function'),
  function: z.object({ name: z.string(), arguments: z.string() }),
});
const AssistantMessage = z.object({
  role: z.literal('assistant'),
  content: text.nullish(),
  refusal: z.string().nullish(),
  reasoning_content: z.string().nullish(),
  tool_calls: z.array(ToolCall).nullish(),
  name,
});
const ToolMessage = z.object({ role: z.literal('tool'), content: text, tool_call_id: z.string() });

/** One message of the conversation, of the roles of OpenAI's API reference. */
export const ChatMessage = z.discriminatedUnion('role', [
  InstructionMessage,
  UserMessage,
  AssistantMessage,
  ToolMessage,
]);
export type ChatMessage = z.infer<typeof ChatMessage>;

const FunctionName = z.string().regex(/^[\w-]{1,64}$/, {
  error: 'up to 64 letters, digits, underscores or dashes',
});
const JsonObject = z.record(z.string(), z.unknown());

const Tool = z.object({
  type: z.literal('function'),
  function: z.object({
    name: FunctionName,
    description: z.string().nullish(),
    parameters: JsonObject.nullish(),
    strict: z.boolean().nullish(),
  }),
});
const ToolChoice = z.union([
  z.enum(['none', 'auto', 'required']),
  z.object({ type: z.literal('function'), function: z.object({ name: FunctionName }) }),
]);
const ResponseFormat = z.discriminatedUnion('type', [
  z.object({ type: z.literal('text') }),
  z.object({ type: z.literal('json_object') }),
  z.object({
    type: z.literal('json_schema'),
    json_schema: z.object({
      name: FunctionName,
      description: z.string().nullish(),
      schema: JsonObject,
      strict: z.boolean().nullish(),
    }),
  }),
]);

const tokenCount = z.int().min(1).max(1_000_000).nullish();
const penalty = z.number().min(-2).max(2).nullish();
const stopSequence = z.string().min(1);

/** Parameters that shape the sampling; given to the runtime as they are. */
const sampling = {
  temperature: z.number().min(0).max(2).nullish(),
  top_p: z.number().gt(0).max(1).nullish(),
  presence_penalty: penalty,
  frequency_penalty: penalty,
  logit_bias: z.record(z.string().regex(/^\d{1,9}$/), z.number().min(-100).max(100)).nullish(),
  logprobs: z.boolean().nullish(),
  top_logprobs: z.int().min(0).max(20).nullish(),
  response_format: ResponseFormat.nullish(),
  tools: z.array(Tool).max(128).nullish(),
  tool_choice: ToolChoice.nullish(),
  reasoning_effort: z.enum(['none', 'minimal', 'low', 'medium', 'high', 'xhigh']).nullish(),
  // mlx_vlm's own (`VLMRequest` in `mlx_vlm/server/schemas.py`)
  top_k: z.int().min(0).max(1_000_000).nullish(),
  min_p: z.number().min(0).max(1).nullish(),
  repetition_penalty: z.number().gt(0).max(10).nullish(),
  repetition_context_size: z.int().min(1).max(1_000_000).nullish(),
  enable_thinking: z.boolean().nullish(),
  thinking_budget: z.int().min(0).max(1_000_000).nullish(),
};

/** Parameters without a meaning for a local model, accepted so that clients work unchanged. */
const accepted = {
  user: z.string().nullish(),
  store: z.boolean().nullish(),
  metadata: JsonObject.nullish(),
  service_tier: z.string().nullish(),
  parallel_tool_calls: z.boolean().nullish(),
  prompt_cache_key: z.string().nullish(),
  safety_identifier: z.string().nullish(),
};

/** The body of `POST /v1/chat/completions`, after OpenAI's API reference. Null means not given. */
export const ChatCompletionRequest = z.strictObject({
  model: z.string().max(256).nullish(),
  messages: z.array(ChatMessage).min(1),
  stream: z.boolean().nullish(),
  stream_options: z
    .object({ include_usage: z.boolean().nullish(), include_obfuscation: z.boolean().nullish() })
    .nullish(),
  max_tokens: tokenCount,
  max_completion_tokens: tokenCount,
  n: z.literal(1, { error: '1: this server gives one answer a request' }).nullish(),
  seed: z.int().nullish(),
  stop: z.union([stopSequence, z.array(stopSequence).min(1).max(4)]).nullish(),
  ...sampling,
  ...accepted,
});
export type ChatCompletionRequest = z.infer<typeof ChatCompletionRequest>;

/** The names of the parameters that the runtime is given as the client sent them. */
export const samplingParameters = Object.keys(sampling) as (keyof typeof sampling)[];
