import { z } from 'zod';
import { MAX_LIST_ITEMS } from '../limits.ts';
import { ImageText } from './bounded.ts';
import { ImageDetail } from './chat-message.ts';

const InputText = z.object({ type: z.literal('input_text'), text: z.string() });
const OutputText = z.object({ type: z.literal('output_text'), text: z.string() });
const Refusal = z.object({ type: z.literal('refusal'), refusal: z.string() });
const InputImage = z.object({
  type: z.literal('input_image'),
  image_url: ImageText,
  file_id: z.null({ error: 'left out: there are no files here; send `image_url`' }).optional(),
  detail: ImageDetail,
});
const Output = z.union([
  z.string(),
  z
    .array(z.discriminatedUnion('type', [InputText, InputImage]))
    .min(1)
    .max(MAX_LIST_ITEMS),
]);

/** One turn of the conversation; an earlier answer has the parts of an answer. */
const MessageItem = z.object({
  type: z.literal('message'),
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
  call_id: z.string(),
  name: z.string(),
  arguments: z.string(),
});
const FunctionCallOutputItem = z.object({
  type: z.literal('function_call_output'),
  call_id: z.string(),
  output: Output,
});
const ReasoningItem = z.object({
  type: z.literal('reasoning'),
  content: z
    .array(z.object({ type: z.literal('reasoning_text'), text: z.string() }))
    .max(MAX_LIST_ITEMS)
    .nullish(),
});
/** An item of an earlier answer that this server has kept. */
const ItemReference = z.object({ type: z.literal('item_reference'), id: z.string() });

/** One item of the input of `POST /v1/responses`; a message may come without its type. */
export const InputItem = z.preprocess(
  (item) =>
    typeof item === 'object' && item !== null && !('type' in item)
      ? { type: 'message', ...item }
      : item,
  z.discriminatedUnion('type', [
    MessageItem,
    FunctionCallItem,
    FunctionCallOutputItem,
    ReasoningItem,
    ItemReference,
  ]),
);
export type InputItem = z.infer<typeof InputItem>;
/** An item with nothing left to look up. */
export type ConversationItem = Exclude<InputItem, { type: 'item_reference' }>;
