import { z } from 'zod';
import { MAX_MESSAGES, MAX_WORDS } from '../limits.ts';
import { JsonObject, JsonSchema } from './bounded.ts';
import { ChatMessage } from './chat-message.ts';
import { ChatToolChoice, ChatTools } from './chat-tools.ts';
import { FunctionName } from './client-tool.ts';
import { gateway, noEffect, refused, runtime } from './compatibility.ts';
import { otherServers, ReasoningEffort, StopSequences } from './other-servers.ts';
import { Seed, sampling, TokenLimit } from './sampling.ts';

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
      error: 'an object with the `schema`',
    }),
]);

const isEmpty = (value: unknown) => Array.isArray(value) && value.length === 0;
const hint = 'the prefix cache needs no hint';
const local = 'requests stay on this Mac';

/**
 * The body of `POST /v1/chat/completions`, after OpenAI's API reference; null means not given. The
 * note of each parameter goes into `docs/openai-compatibility.md`.
 */
export const ChatCompletionRequest = z.object({
  ...otherServers,
  messages: z.array(ChatMessage).min(1).max(MAX_MESSAGES).meta({
    effect: 'gateway',
    note: 'roles `system`, `developer`, `user`, `assistant`, `tool`; images of users and tools; `detail: low` scales a picture down to 512 × 512 at most',
    test: 'test/contract/messages.test.ts',
  }),
  model: gateway(
    z.string().max(256),
    'any name: the loaded model answers, and the response repeats the name',
  ),
  stream: gateway(z.boolean(), 'not queued', 'test/unit/openai/chat-completion.test.ts'),
  stream_options: gateway(
    z.object({ include_usage: z.boolean().nullish(), include_obfuscation: z.boolean().nullish() }),
    '`include_usage`; streams are not obfuscated, so `include_obfuscation` has no effect',
  ),
  max_completion_tokens: gateway(
    TokenLimit,
    'the model’s context is always a limit; -1 means no other one',
  ),
  max_tokens: gateway(TokenLimit, 'the older name of `max_completion_tokens`'),
  n: gateway(
    z.int().min(1).max(128),
    'generated one after the other, in one slot, each with its own seed',
  ),
  seed: gateway(Seed, 'signed, 64 bits; a random one is used if none is given'),
  stop: gateway(
    StopSequences,
    'up to 64; never part of the answer, not even partly',
    'test/unit/generation/stop-matcher.test.ts',
  ),
  ...sampling,
  logprobs: runtime(z.boolean()),
  top_logprobs: runtime(z.int().min(0).max(20), 'with `logprobs`'),
  response_format: gateway(
    ResponseFormat,
    '`text`, `json_object` (with `schema` too), `json_schema`; such an answer calls no tools',
    'test/contract/structured-output.test.ts',
  ),
  reasoning_effort: runtime(
    ReasoningEffort,
    'for models that think; the response has the reasoning in `reasoning_content`',
  ),
  tools: gateway(
    ChatTools,
    '`function` and `custom`, which run at the client; the model’s own format is parsed. A custom tool is offered as a function of one text; its grammar holds a call that is forced. Tools of other types are ignored and reported',
  ),
  tool_choice: gateway(
    ChatToolChoice,
    '`required` and a name force a call, with every model',
    'test/e2e/forced-call.test.ts',
  ),
  parallel_tool_calls: gateway(z.boolean(), 'false ends the answer after its first call'),
  modalities: gateway(z.array(z.literal('text')).min(1).max(MAX_WORDS), '`["text"]` only'),
  user: noEffect(z.string(), local),
  safety_identifier: noEffect(z.string(), local),
  store: noEffect(z.boolean(), 'nothing is stored'),
  metadata: noEffect(JsonObject, 'nothing is stored'),
  service_tier: noEffect(z.string(), 'there is only one tier'),
  prediction: noEffect(JsonObject, 'a hint to be faster'),
  prompt_cache_key: noEffect(z.string(), hint),
  prompt_cache_options: noEffect(JsonObject, hint),
  prompt_cache_retention: noEffect(z.string(), hint),
  audio: refused('this server answers in text'),
  functions: refused('it is deprecated; send `tools`', { unless: isEmpty }),
  function_call: refused('it is deprecated; send `tool_choice`'),
  moderation: refused('this server does not moderate content'),
  web_search_options: refused('this server does not search the web'),
});
export type ChatCompletionRequest = z.infer<typeof ChatCompletionRequest>;
