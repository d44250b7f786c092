import { InvalidRequestError } from './api-error.ts';
import type { ChatMessage } from './chat-request.ts';

/** A picture a client named: its URL, and where it stands for an error to point at. */
export interface ImageReference {
  url: string;
  /** `messages.N.content.M`, the design's form. */
  param: string;
}

/** Every picture of the conversation, in its order. */
export function imagesOf(messages: readonly ChatMessage[]): ImageReference[] {
  return messages.flatMap(({ content }, index) =>
    typeof content === 'string' || content == null
      ? []
      : content.flatMap((part, at) =>
          part.type === 'image_url'
            ? [{ url: part.image_url.url, param: `messages.${index}.content.${at}` }]
            : [],
        ),
  );
}

/**
 * Refuses a text with one of the model's own markers of pictures in it: mlx_vlm would look for a
 * picture that is not there and fail with a 500.
 */
export function refuseMediaTokens(
  messages: readonly ChatMessage[],
  mediaTokens: readonly string[],
): void {
  messages.forEach((message, index) => {
    for (const { text, param } of textsOf(message, `messages.${index}`)) {
      const token = mediaTokens.find((candidate) => text.includes(candidate));
      if (token === undefined) continue;
      throw new InvalidRequestError(
        `Expected \`${param}\` to be without ${token}: this model marks images with it. ` +
          'Remove it, and send images as image_url parts.',
        { param, code: 'media_token_in_text' },
      );
    }
  });
}

/** The message as the runtime takes it, with every picture replaced by its checked data URL. */
export function toRuntimeMessage(message: ChatMessage, nextImage: () => string): object {
  const { content, ...rest } = message;
  const given = Object.entries(rest).filter(([, value]) => value != null);
  return { ...Object.fromEntries(given), content: toRuntimeContent(content, nextImage) };
}

function toRuntimeContent(content: ChatMessage['content'], nextImage: () => string) {
  if (typeof content === 'string' || content == null) return content ?? '';
  return content.map((part) =>
    part.type === 'text' ? part : { type: 'image_url', image_url: { url: nextImage() } },
  );
}

function* textsOf({ content, ...rest }: ChatMessage, path: string) {
  if (typeof content === 'string') yield { text: content, param: `${path}.content` };
  else {
    for (const [at, part] of (content ?? []).entries()) {
      if (part.type === 'text') yield { text: part.text, param: `${path}.content.${at}.text` };
    }
  }
  if (rest.role !== 'assistant') return;
  if (rest.reasoning_content != null) {
    yield { text: rest.reasoning_content, param: `${path}.reasoning_content` };
  }
  for (const [at, call] of (rest.tool_calls ?? []).entries()) {
    yield { text: call.function.arguments, param: `${path}.tool_calls.${at}.function.arguments` };
  }
}
