import type { RequestRecord } from '../activity.ts';
import type { Exchange } from '../apis/dialect.ts';
import { InvalidRequestError } from '../errors.ts';
import type { Answer, AnswerDelta } from '../generation/answer.ts';
import { type ImagePart, imagesOf } from '../generation/conversation.ts';
import { type GenerationRequest, toRuntimeRequest } from '../generation/request.ts';
import type { ImageMemory, LoadedImage } from '../images/loader.ts';
import { ImageError } from '../images/rules.ts';
import { MAX_HEADER_CHARACTERS, MAX_IMAGES } from '../limits.ts';
import type { RuntimeConnection } from '../runtime/connection.ts';

import type { Deps } from './deps.ts';

/** What takes one answer as it grows. */
export interface Sink {
  readonly answer: Answer;
  add(delta: AnswerDelta): void;
  /** Called after each batch of chunks; may wait for a slow client until the signal fires. */
  flush?(signal: AbortSignal): Promise<void> | undefined;
}

/** A request on its way: the exchange, its images, and its line in log and panel. */
export interface GenerationJob extends Exchange {
  record: RequestRecord;
  images: Promise<readonly LoadedImage[]>;
}

/**
 * Starts loading every image of the conversation. Each failure names its part of the request.
 * The promise may be left alone: nobody has to handle its rejection.
 */
export function loadImages(
  { images, settings }: Pick<Deps, 'images' | 'settings'>,
  { messages, params }: GenerationRequest,
  {
    signal,
    client,
    memory,
  }: { signal: AbortSignal; client: string; memory?: ImageMemory | undefined },
): Promise<readonly LoadedImage[]> {
  const parts = imagesOf(messages);
  const loading = images
    .loadAll(parts, signal, { client, memory: memory ?? UNCOUNTED })
    .then((loaded) => refuseTooMuch(loaded, settings.maxBodyMegabytes, params.messages))
    .catch((error: unknown) => {
      throw error instanceof ImageError ? toImageApiError(error, parts) : error;
    });
  loading.catch(() => {});
  return loading;
}

/** For a request without a body of its own. */
const UNCOUNTED: ImageMemory = { grow: () => {}, shrink: () => {} };

/** A small body can name a large image many times: what the runtime is sent has the body's limit. */
function refuseTooMuch(loaded: readonly LoadedImage[], maxMegabytes: number, param: string) {
  const size = loaded.reduce((sum, { dataUrl }) => sum + dataUrl.jsonBytes, 0);
  if (size <= maxMegabytes * 1_000_000) return loaded;
  throw new InvalidRequestError(
    `Expected images of at most ${maxMegabytes} MB in all, got ${Math.ceil(size / 1e6)} MB. ` +
      'Send fewer or smaller ones, or raise --max-body-megabytes.',
    { status: 413, code: 'image_too_large', param },
  );
}

/** Has the runtime give answer number `index` to `sink`. Returns when it has really ended. */
export async function generate(
  connection: RuntimeConnection,
  { request, record, images }: GenerationJob,
  index: number,
  sink: Sink,
  signal: AbortSignal,
): Promise<void> {
  const { answer } = sink;
  const dataUrls = (await images).map(({ dataUrl }) => dataUrl);
  const body = toRuntimeRequest(request, dataUrls, connection.model, index);
  const id = index === 0 ? record.id : `${record.id}/${index + 1}`;
  const before = record.tokens;
  for await (const chunks of connection.chat(body, { id, signal, enough: () => answer.complete })) {
    record.firstTokenAt ??= Date.now();
    for (const chunk of chunks) {
      const delta = answer.add(chunk);
      if (delta !== undefined) sink.add(delta);
    }
    record.tokens = before + answer.tokens;
    await sink.flush?.(signal);
  }
  const rest = answer.end();
  if (rest !== undefined) sink.add(rest);
}

/**
 * The value of `x-sightglass-images`: a list of structured fields (RFC 9651), one item for each image,
 * named by its place in the body. A list that is too long leaves out unchanged images first and ends
 * with `+N more`.
 */
export function describeImages(
  { messages }: GenerationRequest,
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

function toImageApiError(error: ImageError, parts: readonly ImagePart[]) {
  const { status, code } = error;
  const param = parts[error.index ?? 0]?.param ?? null;
  return new InvalidRequestError(error.message, { status, code, param, cause: error });
}
