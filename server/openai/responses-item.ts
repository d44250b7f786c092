import { z } from 'zod';
import { MAX_LIST_ITEMS } from '../limits.ts';
import { ImageText } from './bounded.ts';
import { ImageDetail } from './chat-message.ts';
import { repeated } from './compatibility.ts';
import { ResponsesTools } from './responses-tools.ts';

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
