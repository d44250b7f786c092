import { InvalidRequestError } from '../errors.ts';
import type { ImageLoader, ImageMemory, LoadedImage } from '../images/loader.ts';
import type { LongText } from '../images/long-text.ts';
import { ImageError } from '../images/rules.ts';
import type { DataUrl } from '../images/url.ts';
import { MAX_DEPTH, MAX_HEADER_CHARACTERS, MAX_IMAGES } from '../limits.ts';
import type { Tools } from './tools.ts';

/** A text of the conversation; `param` is where it stands in the client's body. */
export interface TextPart {
  type: 'text';
  text: string;
  param: string;
}

/** A picture the client named by its URL. `isLowDetail` asks for it to be read as a small one. */
export interface ImagePart {
  type: 'image';
  url: string | LongText;
  param: string;
  isLowDetail?: boolean;
}

/** A call of a function that the model made in an earlier turn. */
export interface ToolCall {
  id: string;
  name: string;
  arguments: string;
  param: string;
}

/** One message of a conversation, whichever API it came by. Only users and tools show images. */
export interface Message {
  role: 'system' | 'developer' | 'user' | 'assistant' | 'tool';
  content: readonly (TextPart | ImagePart)[];
  name?: string | undefined;
  reasoning?: TextPart | undefined;
  toolCalls?: readonly ToolCall[] | undefined;
  toolCallId?: string | undefined;
}

/**
 * The conversation with the text of its last message in one piece, to be continued as it stands;
 * undefined if that message is not a text of the assistant.
 */
export function toContinued(messages: readonly Message[]): readonly Message[] | undefined {
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
  memory?: ImageMemory;
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
  const items = imagesOf(messages).flatMap(({ param }, at) => {
    const image = images[at];
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
 * Refuses a text with one of the model's own markers of pictures in it: mlx_vlm would look for a
 * picture that is not there and fail with a 500.
 */
export function refuseMediaTokens(
  messages: readonly Message[],
  tools: Tools | undefined,
  mediaTokens: readonly string[],
): void {
  const ofTools = (tools?.functions ?? []).map(({ param, ...told }) => ({
    text: JSON.stringify(told),
    param,
  }));
  for (const { text, param } of [...messages.flatMap(textsOf), ...ofTools]) {
    const token = mediaTokens.find((candidate) => text.includes(candidate));
    if (token === undefined) continue;
    throw new InvalidRequestError(
      `Expected \`${param}\` not to contain ${token}, which marks images for this model. ` +
        'Remove it, and send images as parts of their own.',
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
 * The messages as mlx_vlm takes them, with every picture replaced by its checked data URL. It reads
 * pictures of users only: those of tools follow their messages as a user's.
 */
export function toRuntimeMessages(
  messages: readonly Message[],
  imageDataUrls: readonly (DataUrl | string)[],
): object[] {
  const urls = imageDataUrls.values();
  const shown: object[] = [];
  let ofTools: object[] = [];
  const showThoseOfTools = () => {
    if (ofTools.length > 0) shown.push({ role: 'user', content: ofTools });
    ofTools = [];
  };
  for (const message of messages) {
    if (message.role !== 'tool') showThoseOfTools();
    const parts = message.content.map((part) =>
      part.type === 'text'
        ? { type: 'text', text: part.text }
        : { type: 'image_url', image_url: { url: urls.next().value ?? '' } },
    );
    const images = message.role === 'tool' ? parts.filter(({ type }) => type === 'image_url') : [];
    ofTools.push(...images);
    const texts = parts.filter((part) => !images.includes(part));
    if (images.length > 0) texts.push({ type: 'text', text: '[Image: see the next message]' });
    shown.push({ ...toRuntimeHead(message), content: asText(texts) ?? texts });
  }
  showThoseOfTools();
  return shown;
}

function toRuntimeHead({ role, name, reasoning, toolCalls, toolCallId }: Message) {
  const calls = toolCalls?.map((call) => ({
    id: call.id,
    type: 'function',
    function: { name: call.name, arguments: toReadableArguments(call) },
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
const HALF_CHARACTER = /^\\u[dD][89a-fA-F]..$/;

/**
 * The arguments of a call as the runtime can show them to the model: it fails on half of a surrogate
 * pair, which models do write, and on deep nesting.
 * @throws InvalidRequestError
 */
function toReadableArguments({ arguments: text, param }: ToolCall): string {
  if (depthOf(text) > MAX_DEPTH) {
    throw new InvalidRequestError(
      `Expected \`${param}\` to be nested at most ${MAX_DEPTH} levels deep. Leave out this call.`,
      { param },
    );
  }
  return text.replace(ESCAPE, (it) => (HALF_CHARACTER.test(it) ? '\\ufffd' : it));
}

/** How deep the brackets of a text of JSON are nested, whether or not it is complete. */
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

/** A single text is a string, as the templates of most models expect. */
function asText(parts: readonly object[]): string | undefined {
  const [first] = parts;
  if (first === undefined) return '';
  return parts.length === 1 && 'text' in first ? String(first.text) : undefined;
}
