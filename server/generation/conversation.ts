import { InvalidRequestError } from '../errors.ts';
import type { ImageLoader, ImageMemory, LoadedImage } from '../images/loader.ts';
import { ImageError } from '../images/rules.ts';
import type { DataUrl } from '../images/url.ts';
import { MAX_DEPTH, MAX_HEADER_CHARACTERS, MAX_IMAGES } from '../limits.ts';
import type { LongText } from '../long-text.ts';
import type { Tools } from './tools.ts';

/** Text in the conversation. `param` is its path in the client's body. */
export interface TextPart {
  type: 'text';
  text: string;
  param: string;
}

/** An image URL. With `isLowDetail`, the image is scaled down. */
export interface ImagePart {
  type: 'image';
  url: string | LongText;
  param: string;
  isLowDetail?: boolean;
}

/** A tool call in an earlier answer. */
export interface ToolCall {
  id: string;
  name: string;
  arguments: string;
  param: string;
}

/** A message of any of the APIs. Only those of users and tools contain images. */
export interface Message {
  role: 'system' | 'developer' | 'user' | 'assistant' | 'tool';
  content: readonly (TextPart | ImagePart)[];
  name?: string | undefined;
  reasoning?: TextPart | undefined;
  toolCalls?: readonly ToolCall[] | undefined;
  toolCallId?: string | undefined;
}

/**
 * The conversation with the text of its last message joined, for the model to continue it. Undefined
 * if the last message is not text by the assistant.
 */
export function joinLastText(messages: readonly Message[]): readonly Message[] | undefined {
  const last = messages.at(-1);
  if (last?.role !== 'assistant' || (last.toolCalls?.length ?? 0) > 0) return undefined;
  const texts = last.content.filter((part) => part.type === 'text');
  const [first] = texts;
  if (first === undefined) return undefined;
  const text = texts.map((part) => part.text).join('');
  return [...messages.slice(0, -1), { ...last, content: [{ ...first, text }] }];
}

/** All images of the conversation, in the order in which the model sees them. */
export function imagesOf(messages: readonly Message[]): ImagePart[] {
  return messages.flatMap(({ content }) => content.filter((part) => part.type === 'image'));
}

/** For a request whose images are not counted towards a memory limit. */
const UNCOUNTED: ImageMemory = { grow: () => {}, shrink: () => {} };

export interface ImageLoadOptions {
  signal: AbortSignal;
  client: string;
  memory?: ImageMemory | undefined;
  /** Limits the total size of the converted images. */
  maxMegabytes: number;
}

/**
 * Starts loading all images of the conversation. Rejects with an InvalidRequestError that names the
 * image's field. The caller may ignore the rejection.
 */
export function loadImages(
  loader: ImageLoader,
  { messages, params }: { messages: readonly Message[]; params: { messages: string } },
  { signal, client, memory = UNCOUNTED, maxMegabytes }: ImageLoadOptions,
): Promise<readonly LoadedImage[]> {
  const parts = imagesOf(messages);
  const loading = loader
    .loadAll(parts, signal, { client, memory })
    .then((images) => {
      refuseTooLarge(images, maxMegabytes, params.messages);
      return images;
    })
    .catch((error: unknown) => {
      throw error instanceof ImageError ? toRequestError(error, parts) : error;
    });
  loading.catch(() => {});
  return loading;
}

/** A small body can refer to the same large image many times, so their total is limited as well. */
function refuseTooLarge(images: readonly LoadedImage[], maxMegabytes: number, param: string): void {
  const size = images.reduce((sum, { dataUrl }) => sum + dataUrl.jsonBytes, 0);
  if (size <= maxMegabytes * 1_000_000) return;
  throw new InvalidRequestError(
    `The images may have at most ${maxMegabytes} MB in total (got ${Math.ceil(size / 1e6)} MB). ` +
      'Send fewer or smaller images, or raise --max-body-megabytes.',
    { status: 413, code: 'image_too_large', param },
  );
}

function toRequestError(error: ImageError, parts: readonly ImagePart[]) {
  const { status, code } = error;
  const param = parts[error.index ?? 0]?.param ?? null;
  return new InvalidRequestError(error.message, { status, code, param, cause: error });
}

/**
 * The value of `x-sightglass-images`: a list of structured fields (RFC 9651) with an item for each
 * image, named by its path in the body. If the list is too long, unchanged images are left out first
 * and the list ends with `+N more`.
 */
export function describeImages(
  messages: readonly Message[],
  images: readonly LoadedImage[],
): string {
  const items = imagesOf(messages).flatMap(({ param }, index) => {
    const image = images[index];
    return image === undefined ? [] : [{ text: describeImage(param, image), image }];
  });
  const all = items.map(({ text }) => text).join(', ');
  if (all.length <= MAX_HEADER_CHARACTERS) return all;
  const changed = items.filter(({ image }) => image.scaledFrom ?? image.parts ?? image.background);
  const shown: string[] = [];
  let length = `+${MAX_IMAGES} more`.length;
  for (const { text } of changed) {
    length += text.length + 2;
    if (length > MAX_HEADER_CHARACTERS) break;
    shown.push(text);
  }
  return [...shown, `+${items.length - shown.length} more`].join(', ');
}

function describeImage(param: string, image: LoadedImage): string {
  const { width, height, scaledFrom: from = image, parts, background } = image;
  return [
    param,
    `original="${from.width}x${from.height}"`,
    `sent="${width}x${height}"`,
    ...(parts === undefined ? [] : [`${parts.unit}-left-out=${parts.count - 1}`]),
    ...(background === undefined ? [] : [`background=${background}`]),
  ].join(';');
}

/**
 * Refuses text that contains the model's image tokens, for which mlx_vlm would look for an image and
 * fail with a 500.
 */
export function refuseMediaTokens(
  messages: readonly Message[],
  tools: Tools | undefined,
  mediaTokens: readonly string[],
): void {
  const toolTexts = (tools?.functions ?? []).map(({ param, ...definition }) => ({
    text: JSON.stringify(definition),
    param,
  }));
  for (const { text, param } of [...messages.flatMap(textsOf), ...toolTexts]) {
    const token = mediaTokens.find((candidate) => text.includes(candidate));
    if (token === undefined) continue;
    throw new InvalidRequestError(
      `\`${param}\` must not contain ${token}, which marks an image for this model. Remove it, and ` +
        'send images as separate parts.',
      { param, code: 'media_token_in_text' },
    );
  }
}

function textsOf({ content, reasoning, toolCalls = [] }: Message) {
  return [
    ...content.filter((part) => part.type === 'text'),
    ...(reasoning === undefined ? [] : [reasoning]),
    ...toolCalls.map(({ arguments: text, param }) => ({ text, param })),
  ];
}

/**
 * Converts messages to mlx_vlm's format, with the data URLs of the loaded images. mlx_vlm reads only
 * images of users, so the images of tools are moved to a user message after them.
 */
export function toRuntimeMessages(
  messages: readonly Message[],
  imageDataUrls: readonly (DataUrl | string)[],
): object[] {
  const urls = imageDataUrls.values();
  const converted: object[] = [];
  let toolImages: object[] = [];
  const addToolImages = () => {
    if (toolImages.length > 0) converted.push({ role: 'user', content: toolImages });
    toolImages = [];
  };
  for (const message of messages) {
    if (message.role !== 'tool') addToolImages();
    const parts = message.content.map((part) =>
      part.type === 'text'
        ? { type: 'text', text: part.text }
        : { type: 'image_url', image_url: { url: urls.next().value ?? '' } },
    );
    const images = message.role === 'tool' ? parts.filter(({ type }) => type === 'image_url') : [];
    toolImages.push(...images);
    const texts = parts.filter((part) => !images.includes(part));
    if (images.length > 0) texts.push({ type: 'text', text: '[Image: see the next message]' });
    converted.push({ ...toRuntimeHead(message), content: asText(texts) ?? texts });
  }
  addToolImages();
  return converted;
}

function toRuntimeHead({ role, name, reasoning, toolCalls, toolCallId }: Message) {
  const calls = toolCalls?.map((call) => ({
    id: call.id,
    type: 'function',
    function: { name: call.name, arguments: sanitizeArguments(call) },
  }));
  return {
    role,
    ...(name === undefined ? {} : { name }),
    ...(reasoning === undefined ? {} : { reasoning_content: reasoning.text }),
    ...(calls === undefined || calls.length === 0 ? {} : { tool_calls: calls }),
    ...(toolCallId === undefined ? {} : { tool_call_id: toolCallId }),
  };
}

const ESCAPE = /\\(?:u[dD][89abAB][\da-fA-F]{2}\\u[dD][c-fC-F][\da-fA-F]{2}|u[\da-fA-F]{4}|.)/gs;
const LONE_SURROGATE = /^\\u[dD][89a-fA-F]..$/;

/**
 * Makes a call's arguments readable for the runtime, which fails on lone surrogates, which models do
 * generate, and on deep nesting.
 * @throws InvalidRequestError
 */
function sanitizeArguments({ arguments: text, param }: ToolCall): string {
  if (depthOf(text) > MAX_DEPTH) {
    throw new InvalidRequestError(
      `\`${param}\` is nested more than ${MAX_DEPTH} levels deep. Remove this call.`,
      { param },
    );
  }
  return text.replace(ESCAPE, (it) => (LONE_SURROGATE.test(it) ? '\\ufffd' : it));
}

/** The nesting depth of JSON text, which may be incomplete. */
function depthOf(json: string): number {
  let [depth, deepest, isString] = [0, 0, false];
  for (let at = 0; at < json.length; at++) {
    const character = json[at];
    if (isString && character === '\\') at += 1;
    else if (character === '"') isString = !isString;
    else if (isString) continue;
    else if (character === '{' || character === '[') deepest = Math.max(deepest, ++depth);
    else if (character === '}' || character === ']') depth -= 1;
  }
  return deepest;
}

/** The text of a single text part: most templates expect a string. */
function asText(parts: readonly object[]): string | undefined {
  const [first] = parts;
  if (first === undefined) return '';
  return parts.length === 1 && 'text' in first ? String(first.text) : undefined;
}
