import { z } from 'zod';
import { MAX_LIST_ITEMS, MAX_TOOL_CALLS } from '../limits.ts';
import { ImageText } from './bounded.ts';
import { repeated } from './compatibility.ts';

/** How closely a picture is read; `low` has it scaled down, as OpenAI does. */
export const ImageDetail = z.enum(['auto', 'low', 'high', 'original']).nullish();

const TextPart = z.object({ type: z.literal('text'), text: z.string() });
const RefusalPart = z.object({ type: z.literal('refusal'), refusal: z.string() });

/** Some clients send the URL bare; OpenAI's form is `{ url, detail }`. */
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
    function: z.object({ name: z.string(), arguments: z.string() }),
  }),
  z.object({
    ...toolCall,
    type: z.literal('custom'),
    custom: z.object({ name: z.string(), input: z.string() }),
  }),
]);
/** A call of an earlier answer. */
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
  /** A tool may have nothing to say. */
  content: z.union([z.string(), parts]),
  tool_call_id: z.string(),
});

/** One message of the conversation, of the roles of OpenAI's API reference. */
export const ChatMessage = z.discriminatedUnion('role', [
  InstructionMessage,
  UserMessage,
  AssistantMessage,
  ToolMessage,
]);
export type ChatMessage = z.infer<typeof ChatMessage>;
