import { randomInt } from 'node:crypto';
import { InvalidRequestError } from '../errors.ts';
import type { DataUrl } from '../images/url.ts';
import { MAX_IMAGES } from '../limits.ts';
import type { ReadyLine, RuntimeChatRequest } from '../runtime/protocol.ts';
import { imagesOf, type Message, refuseMediaTokens, toRuntimeMessages } from './conversation.ts';
import { type Tools, toRuntimeTools } from './tools.ts';

/** The paths of the client's fields for mlx_vlm's thinking parameters. */
export type ThinkingFields = Partial<
  Record<'enable_thinking' | 'reasoning_effort' | 'thinking_budget', readonly string[]>
>;

/** A request to generate answers, independent of the API. */
export interface GenerationRequest {
  /** The model name in the request, which the response repeats. */
  model: string | undefined;
  messages: readonly Message[];
  /** The client's names for fields that an error may be about as a whole. */
  params: { messages: string; schema: string };
  stream: boolean;
  /** The number of answers, which are generated one after another. */
  answerCount: number;
  /** A signed 64-bit integer: a bigint if it is not a safe integer. */
  seed: number | bigint | undefined;
  maxTokens: number | undefined;
  /** Stop sequences. mlx_vlm does not support them. */
  stopSequences: readonly string[];
  tools: Tools | undefined;
  /** Whether an answer may contain several tool calls. mlx_vlm ignores it. */
  parallelToolCalls: boolean;
  /** Forwarded to mlx_vlm unchanged, by its names (`VLMRequest` in its `schemas.py`). */
  parameters: Readonly<Record<string, unknown>>;
  thinkingFields: ThinkingFields;
  /** The client's field that requests continuing the last assistant message, if any. */
  continuationParam: string | undefined;
  /** Variables for the model's chat template. The launcher forwards those that it uses. */
  templateKwargs: Readonly<Record<string, string | number | boolean>>;
}

/** mlx_vlm's seeds have 32 bits. */
const MAX_SEED = 2 ** 32;
/** The token limit if the model's context length is unknown. */
const NO_LIMIT = 1_000_000;
/** Below this, mlx_vlm rounds `top_p` to 0, which it treats as not set. */
const MIN_TOP_P = 1e-6;

/**
 * The request to the runtime for answer number `index`. Always names the loaded model, since mlx_vlm
 * would download another one. Always streams, since only streams can be cancelled. Always sets a
 * seed, different for each answer, since mlx_vlm's default is 0.
 * @throws InvalidRequestError if this model does not support the request
 */
export function toRuntimeRequest(
  request: GenerationRequest,
  imageDataUrls: readonly (DataUrl | string)[],
  model: ReadyLine,
  index: number,
): RuntimeChatRequest {
  const { messages, seed, maxTokens = NO_LIMIT, tools } = request;
  const templateKwargs = Object.fromEntries(
    Object.entries(request.templateKwargs).filter(([name]) => model.template_names.includes(name)),
  );
  const parameters = toSampling(request.parameters);
  refuseTooManyImages(request, model.context_length);
  refuseEmpty(request);
  refuseConstrainedContinuation(request);
  refuseMediaTokens(messages, tools, model.media_tokens);
  refuseMediaTokensInTemplate(templateKwargs, model.media_tokens);
  if (model.vocab_size !== null) refuseBeyondVocabulary(parameters, model.vocab_size);
  return {
    model: model.model,
    stream: true,
    stream_options: { include_usage: true },
    context_management: [], // by default, mlx_vlm shortens conversations
    messages: toRuntimeMessages(messages, imageDataUrls),
    seed: seed === undefined ? randomInt(MAX_SEED) : toRuntimeSeed(seed, index),
    // mlx_vlm's default is 2,048 tokens.
    max_tokens: Math.min(maxTokens, model.context_length ?? NO_LIMIT),
    ...parameters,
    ...toRuntimeTools(tools),
    ...(request.continuationParam === undefined ? {} : { sightglass_continue_final_message: true }),
    ...(Object.keys(templateKwargs).length === 0
      ? {}
      : { sightglass_template_kwargs: templateKwargs }),
  };
}

/** A `top_p` of 0 selects the most likely token, but mlx_vlm treats it as not set. */
function toSampling(parameters: GenerationRequest['parameters']): Record<string, unknown> {
  const { top_p, top_k, ...others } = parameters;
  return {
    ...others,
    ...(top_k === undefined ? {} : { top_k: Math.max(0, Number(top_k)) }),
    ...(top_p === undefined ? {} : Number(top_p) < MIN_TOP_P ? { temperature: 0 } : { top_p }),
  };
}

/**
 * Hashes a signed 64-bit seed to mlx_vlm's 32 bits, so that 7 and -7 differ, as do neighbouring large
 * seeds. Seeds that fit in 32 bits are unchanged.
 */
function toRuntimeSeed(seed: number | bigint, index: number): number {
  const bits = BigInt.asUintN(64, BigInt(seed) + BigInt(index));
  const upper = Number(bits >> 32n);
  return (Number(bits & 0xffff_ffffn) ^ Math.imul(upper, 0x9e37_79b1)) >>> 0;
}

/** Refuses an empty conversation. mlx_vlm's own error does not name the field. */
function refuseEmpty({ messages, params }: GenerationRequest): void {
  const hasContent = messages.some(
    ({ content, toolCalls = [], reasoning }) =>
      toolCalls.length > 0 ||
      (reasoning?.text.trim() ?? '') !== '' ||
      content.some((part) => part.type === 'image' || part.text.trim() !== ''),
  );
  if (hasContent) return;
  throw new InvalidRequestError(
    `\`${params.messages}\` is empty. It must contain text or an image.`,
    { param: params.messages, code: 'empty_input' },
  );
}

/** A grammar applies from the first token, so it cannot include the text that is continued. */
function refuseConstrainedContinuation({
  continuationParam,
  parameters,
  tools,
  params,
}: GenerationRequest) {
  const format = parameters['response_format'] as { type?: string } | undefined;
  const isConstrained = tools?.choice === 'required' || (format?.type ?? 'text') !== 'text';
  if (continuationParam === undefined || !isConstrained) return;
  throw new InvalidRequestError(
    'The last message cannot be continued with a schema or a forced tool call. End ' +
      `\`${params.messages}\` with a user message, or remove the schema or \`tool_choice\`.`,
    { param: continuationParam, code: 'cannot_continue' },
  );
}

function refuseMediaTokensInTemplate(
  kwargs: GenerationRequest['templateKwargs'],
  mediaTokens: readonly string[],
): void {
  for (const [name, value] of Object.entries(kwargs)) {
    const token = mediaTokens.find((candidate) => String(value).includes(candidate));
    if (token === undefined) continue;
    const param = `chat_template_kwargs.${name}`;
    throw new InvalidRequestError(
      `\`${param}\` must not contain ${token}, which marks an image for this model. Remove it.`,
      { param, code: 'media_token_in_text' },
    );
  }
}

/**
 * Refuses more images than can fit in the context, before loading any. Each image takes at least one
 * token.
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
      `A request may have at most ${MAX_IMAGES} images (got ${length}). Send several requests.`,
      { code: 'too_many_images', param: params.messages },
    );
  }
}

/**
 * Refuses to enlarge images beyond the limit on image size. The runtime does the enlarging.
 * @throws InvalidRequestError
 */
export function refuseTooManyPixels(
  { min_pixels, max_pixels, resize_shape }: GenerationRequest['parameters'],
  maxPixels: number,
): void {
  const [height = 0, width = height] = (resize_shape ?? []) as readonly number[];
  const requested = { min_pixels, max_pixels, resize_shape: height * width };
  for (const [param, pixels] of Object.entries(requested)) {
    if (Number(pixels ?? 0) <= maxPixels) continue;
    throw new InvalidRequestError(
      `\`${param}\` must be at most ${maxPixels} pixels (got ${pixels}). ` +
        'Request fewer, or raise --max-image-pixels.',
      { param },
    );
  }
}

/** Refuses token ids and counts beyond the vocabulary, on which mlx_vlm would fail mid-stream. */
function refuseBeyondVocabulary(
  { logit_bias, top_k }: GenerationRequest['parameters'],
  vocabSize: number,
): void {
  const token = Object.keys(logit_bias ?? {}).find((id) => Number(id) >= vocabSize);
  if (token !== undefined) {
    throw new InvalidRequestError(
      `The token ids in \`logit_bias\` must be below ${vocabSize} (got ${token}).`,
      { param: `logit_bias.${token}` },
    );
  }
  if (Number(top_k ?? 0) > vocabSize) {
    throw new InvalidRequestError(
      `\`top_k\` must be at most ${vocabSize}, the size of the vocabulary (got ${top_k}).`,
      { param: 'top_k' },
    );
  }
}
