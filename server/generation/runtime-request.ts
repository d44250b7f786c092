import { randomInt } from 'node:crypto';
import type { DataUrl } from '../images/data-url.ts';
import { MAX_IMAGES } from '../limits.ts';
import { InvalidRequestError } from '../openai/api-error.ts';
import type { RuntimeChatRequest } from '../runtime/chat-protocol.ts';
import type { ReadyLine } from '../runtime/launcher-line.ts';
import { imagesOf, refuseMediaTokens, toRuntimeMessages } from './conversation.ts';
import type { GenerationRequest } from './generation-request.ts';
import { toRuntimeTools } from './tools.ts';

const MAX_SEED = 2 ** 32;

/**
 * What the runtime is asked for answer number `index`: always the loaded model (another name would
 * make mlx_vlm download it), always streaming (that is what can be cancelled), always a seed
 * (without one it uses 0), another one for each answer.
 * @throws InvalidRequestError for what this model cannot be asked
 */
export function toRuntimeRequest(
  request: GenerationRequest,
  imageDataUrls: readonly (DataUrl | string)[],
  model: ReadyLine,
  index: number,
): RuntimeChatRequest {
  const { messages, parameters, seed, maxTokens, tools } = request;
  refuseTooManyImages(request, model.context_length);
  refuseMediaTokens(messages, tools, model.media_tokens);
  if (model.vocab_size !== null) refuseBeyondVocabulary(parameters, model.vocab_size);
  return {
    model: model.model,
    stream: true,
    stream_options: { include_usage: true },
    context_management: [], // none given means that mlx_vlm shortens conversations by itself
    messages: toRuntimeMessages(messages, imageDataUrls),
    seed: seed === undefined ? randomInt(MAX_SEED) : (Math.abs(seed) + index) % MAX_SEED,
    ...(maxTokens === undefined ? {} : { max_tokens: maxTokens }),
    ...parameters,
    ...toRuntimeTools(tools),
  };
}

/**
 * Refuses more images than can fit, before any is loaded: each takes at least one token of the model's
 * context, if its length is known.
 * @throws InvalidRequestError
 */
export function refuseTooManyImages(
  { messages, params }: GenerationRequest,
  contextLength: number | null,
): void {
  const { length } = imagesOf(messages);
  if (contextLength !== null && length >= contextLength) {
    throw new InvalidRequestError(
      `This model's maximum context length is ${contextLength} tokens, and each of the ${length} ` +
        'images takes at least one. Send fewer images.',
      { code: 'context_length_exceeded', param: params.messages },
    );
  }
  if (length > MAX_IMAGES) {
    throw new InvalidRequestError(
      `Expected at most ${MAX_IMAGES} images, got ${length}. Send them in several requests.`,
      { code: 'too_many_images', param: params.messages },
    );
  }
}

/**
 * A picture is enlarged as a request asks, in the runtime: never beyond the limit of an image.
 * @throws InvalidRequestError
 */
export function refuseTooManyPixels(
  { min_pixels, max_pixels, resize_shape }: GenerationRequest['parameters'],
  maxPixels: number,
): void {
  const [height = 0, width = height] = (resize_shape ?? []) as readonly number[];
  const asked = { min_pixels, max_pixels, resize_shape: height * width };
  for (const [param, pixels] of Object.entries(asked)) {
    if (Number(pixels ?? 0) <= maxPixels) continue;
    throw new InvalidRequestError(
      `Expected \`${param}\` to be at most ${maxPixels} pixels, got ${pixels}. ` +
        'Ask for fewer, or raise --max-image-pixels.',
      { param },
    );
  }
}

/** What counts tokens must stay within those there are: mlx_vlm would fail in mid-generation. */
function refuseBeyondVocabulary(
  { logit_bias, top_k }: GenerationRequest['parameters'],
  vocabSize: number,
): void {
  const token = Object.keys(logit_bias ?? {}).find((id) => Number(id) >= vocabSize);
  if (token !== undefined) {
    throw new InvalidRequestError(
      `Expected the token ids of \`logit_bias\` to be below ${vocabSize}, got ${token}.`,
      { param: `logit_bias.${token}` },
    );
  }
  if (Number(top_k ?? 0) > vocabSize) {
    throw new InvalidRequestError(
      `Expected \`top_k\` to be at most ${vocabSize}, the number of the model's tokens, got ${top_k}.`,
      { param: 'top_k' },
    );
  }
}
