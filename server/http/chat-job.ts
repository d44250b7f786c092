import type { RequestRecord } from '../activity.ts';
import { ImageError } from '../images/image-error.ts';
import type { LoadedImage } from '../images/image-loader.ts';
import type { Answer } from '../openai/answer.ts';
import { InvalidRequestError } from '../openai/api-error.ts';
import type { ChatCompletionRequest } from '../openai/chat-request.ts';
import { type ImageReference, imagesOf, refuseMediaTokens } from '../openai/conversation.ts';
import { toRuntimeRequest } from '../openai/runtime-request.ts';
import type { ChatChunk } from '../runtime/chat-protocol.ts';
import type { RuntimeConnection } from '../runtime/runtime-connection.ts';
import type { Deps } from './deps.ts';

/** What takes the chunks of one answer: OpenAI's whole completion or its stream. */
export interface Sink {
  readonly answer: Answer;
  add(chunks: readonly ChatChunk[]): void | Promise<void>;
}

/** A chat request on its way: what was asked, its images, and its line in the log and panel. */
export interface ChatJob {
  request: ChatCompletionRequest;
  record: RequestRecord;
  images: Promise<readonly LoadedImage[]>;
}

/**
 * Begins to load every image of the conversation. Each failure names the part that it stands in.
 * The promise may be left alone: nobody has to handle its rejection.
 */
export function loadImages(
  { images, settings }: Pick<Deps, 'images' | 'settings'>,
  request: ChatCompletionRequest,
  signal: AbortSignal,
): Promise<readonly LoadedImage[]> {
  const references = imagesOf(request.messages);
  const loading = images
    .loadAll(
      references.map(({ url }) => url),
      signal,
    )
    .then((loaded) => refuseTooMuch(loaded, settings.maxBodyMegabytes))
    .catch((error: unknown) => {
      throw error instanceof ImageError ? toImageApiError(error, references) : error;
    });
  loading.catch(() => {});
  return loading;
}

/** A small body can name a large image many times: what the runtime is sent has the body's limit. */
function refuseTooMuch(loaded: readonly LoadedImage[], maxMegabytes: number) {
  const size = loaded.reduce((sum, { dataUrl }) => sum + dataUrl.length, 0);
  if (size <= maxMegabytes * 1_000_000) return loaded;
  throw new InvalidRequestError(
    `Expected images of at most ${maxMegabytes} MB in all, got ${Math.ceil(size / 1e6)} MB. ` +
      'Send fewer or smaller ones, or raise --max-body-megabytes.',
    { status: 413, code: 'image_too_large', param: 'messages' },
  );
}

/** Has the runtime answer into `sink`. Returns when the runtime has really ended. */
export async function generate(
  connection: RuntimeConnection,
  { request, record, images }: ChatJob,
  sink: Sink,
  signal: AbortSignal,
): Promise<void> {
  refuseMediaTokens(request.messages, connection.model.media_tokens);
  const dataUrls = (await images).map(({ dataUrl }) => dataUrl);
  const body = toRuntimeRequest(request, dataUrls, connection.model);
  for await (const chunks of connection.chat(body, {
    id: record.id,
    signal,
    enough: () => sink.answer.stopped,
  })) {
    record.firstTokenAt ??= Date.now();
    await sink.add(chunks);
    record.tokens = sink.answer.tokens;
  }
}

/** For a response header: which images were scaled down, and to what. */
export function describeScaling(
  request: ChatCompletionRequest,
  images: readonly LoadedImage[],
): string {
  return imagesOf(request.messages)
    .flatMap(({ param }, at) => {
      const { scaledFrom, width, height } = images[at] ?? {};
      if (scaledFrom === undefined) return [];
      return [`${param} ${scaledFrom.width}x${scaledFrom.height} to ${width}x${height}`];
    })
    .join(', ');
}

function toImageApiError(error: ImageError, references: readonly ImageReference[]) {
  const { status, code } = error;
  const param = references[error.index ?? 0]?.param ?? null;
  return new InvalidRequestError(error.message, { status, code, param, cause: error });
}
