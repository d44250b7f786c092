import { z } from 'zod';
import {
  MAX_LIST_ITEMS,
  MAX_MEDIA_TYPE_CHARACTERS,
  MAX_MESSAGES,
  MAX_TOOLS,
} from '../../limits.ts';
import { FunctionName } from '../client-tool.ts';
import {
  DocumentText,
  gateway,
  ImageText,
  JsonObject,
  JsonSchema,
  noEffect,
  refused,
  repeated,
  runtime,
} from '../fields.ts';
import { commonParameters, StopSequences, TokenLimit } from '../parameters.ts';
import { AnthropicClientTool, isClientTool } from './tools.ts';

const test = 'test/contract/messages-api.test.ts';

/** Caching is automatic. */
const cache_control = repeated;
const TextBlock = z.object({
  type: z.literal('text'),
  text: z.string(),
  cache_control,
  citations: repeated,
});
const ImageBlock = z.object({
  type: z.literal('image'),
  source: z.discriminatedUnion('type', [
    z.object({
      type: z.literal('base64'),
      media_type: z.string().max(MAX_MEDIA_TYPE_CHARACTERS),
      data: ImageText,
    }),
    z.object({ type: z.literal('url'), url: ImageText }),
  ]),
  cache_control,
});
const DocumentBlock = z.object({
  type: z.literal('document'),
  source: z.object({ type: z.literal('text'), media_type: repeated, data: DocumentText }),
  cache_control,
});
const shown = z.discriminatedUnion('type', [TextBlock, ImageBlock, DocumentBlock]);
const ToolResultBlock = z.object({
  type: z.literal('tool_result'),
  tool_use_id: z.string(),
  content: z.union([z.string(), z.array(shown).max(MAX_LIST_ITEMS)]).nullish(),
  is_error: z.boolean().nullish(),
  cache_control,
});
const ToolUseBlock = z.object({
  type: z.literal('tool_use'),
  id: z.string(),
  name: z.string(),
  input: JsonObject,
  cache_control,
});
const ThinkingBlock = z.object({
  type: z.literal('thinking'),
  thinking: z.string(),
  signature: repeated,
});
const RedactedBlock = z.object({ type: z.literal('redacted_thinking'), data: repeated });

const UserMessage = z.object({
  role: z.literal('user'),
  content: z.union([
    z.string(),
    z
      .array(z.discriminatedUnion('type', [TextBlock, ImageBlock, DocumentBlock, ToolResultBlock]))
      .max(MAX_LIST_ITEMS),
  ]),
});
const AssistantMessage = z.object({
  role: z.literal('assistant'),
  content: z.union([
    z.string(),
    z
      .array(z.discriminatedUnion('type', [TextBlock, ToolUseBlock, ThinkingBlock, RedactedBlock]))
      .max(MAX_LIST_ITEMS),
  ]),
});
/** One message of the conversation. */
export const AnthropicMessage = z.discriminatedUnion('role', [UserMessage, AssistantMessage]);
export type AnthropicMessage = z.infer<typeof AnthropicMessage>;

/** A tool that Anthropic runs, or a toolset: ignored and reported. */
const AnthropicTool = z
  .object({
    type: z.string().refine((type) => type !== 'custom' && !isClientTool(type), {
      error: 'the type of a tool that Anthropic runs',
    }),
  })
  .transform(() => undefined);
const disable_parallel_tool_use = z.boolean().nullish();

/** The body of `POST /v1/messages`, following Anthropic's API reference. Null means not set. */
export const MessagesRequest = z.object({
  ...commonParameters,
  model: gateway(
    z.string().max(256),
    'any name; the loaded model answers, and the response repeats the name',
    test,
  ),
  messages: z.array(AnthropicMessage).min(1).max(MAX_MESSAGES).meta({
    effect: 'gateway',
    note: 'blocks `text`, `image` (`base64`, `url`), `document` (text), `tool_use`, `tool_result` (with images too), `thinking`; `cache_control` has no effect',
    test,
  }),
  max_tokens: TokenLimit.meta({
    effect: 'gateway',
    note: 'required, as in Anthropic’s API; -1 means no limit other than the context',
    test,
  }),
  system: gateway(
    z.union([z.string(), z.array(TextBlock).max(MAX_LIST_ITEMS)]),
    'the first system message',
    test,
  ),
  stream: gateway(z.boolean(), 'not queued', test),
  stop_sequences: gateway(
    StopSequences,
    'up to 64; the answer never contains any part of one',
    test,
  ),
  temperature: runtime(z.number().min(0).max(1), '', test),
  top_p: runtime(z.number().min(0).max(1), '0 always chooses the most likely token', test),
  top_k: runtime(z.int().min(-1).max(1_000_000), 'at most the number of the model’s tokens', test),
  tools: gateway(
    z
      .array(
        z.union([
          z.object({
            type: z.literal('custom').nullish(),
            name: FunctionName,
            description: z.string().nullish(),
            input_schema: JsonSchema,
            strict: z.boolean().nullish(),
            cache_control,
          }),
          AnthropicClientTool,
          AnthropicTool,
        ]),
      )
      .max(MAX_TOOLS),
    'functions, and `bash_…`, `text_editor_…`, `memory_…` and `computer_…`, which the client runs; the model receives the input schemas that Anthropic documents. Toolsets and tools that Anthropic runs are ignored and reported',
    test,
  ),
  tool_choice: gateway(
    z.discriminatedUnion('type', [
      z.object({ type: z.enum(['auto', 'any']), disable_parallel_tool_use }),
      z.object({ type: z.literal('tool'), name: FunctionName, disable_parallel_tool_use }),
      z.object({ type: z.literal('none') }),
    ]),
    '`any` and a name force a call with every model',
    'test/e2e/forced-call.test.ts',
  ),
  thinking: gateway(
    z.discriminatedUnion('type', [
      z.object({ type: z.literal('enabled'), budget_tokens: z.int().min(1).nullish() }),
      z.object({ type: z.enum(['adaptive', 'auto', 'disabled', 'between_tools']) }),
    ]),
    'for models whose thinking can be turned on; the response includes it if it is on',
    test,
  ),
  output_config: gateway(
    z.object({
      effort: z.enum(['low', 'medium', 'high', 'xhigh', 'max']).nullish(),
      format: z.object({ type: z.literal('json_schema'), schema: JsonSchema }).nullish(),
    }),
    '`format`: a JSON schema; `effort`: for models that think',
    test,
  ),
  metadata: noEffect(JsonObject, 'requests stay on this Mac'),
  service_tier: noEffect(z.string(), 'there is only one tier'),
  speed: noEffect(z.string(), 'there is only one speed'),
  inference_geo: noEffect(z.string(), 'the model runs on this Mac'),
  diagnostics: noEffect(JsonObject, 'only meaningful at Anthropic'),
  cache_control: noEffect(JsonObject, 'caching is automatic'),
  user_profile_id: noEffect(z.string(), 'only meaningful at Anthropic'),
  workspace_id: noEffect(z.string(), 'only meaningful at Anthropic'),
  container: refused('this server has no containers'),
  mcp_servers: refused(
    'this server does not call tools itself; an empty list is ignored and reported',
    {
      ignores: (value) => Array.isArray(value) && value.length === 0,
    },
  ),
});
export type MessagesRequest = z.infer<typeof MessagesRequest>;
