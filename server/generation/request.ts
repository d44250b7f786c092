import { randomInt } from 'node:crypto';
import { InvalidRequestError } from '../errors.ts';
import type { DataUrl } from '../images/url.ts';
import { MAX_IMAGES } from '../limits.ts';
import type { ReadyLine, RuntimeChatRequest } from '../runtime/protocol.ts';
import { imagesOf, type Message, refuseMediaTokens, toRuntimeMessages } from './conversation.ts';
import { type Tools, toRuntimeTools } from './tools.ts';

/** Where in the client's body each of mlx_vlm's parameters of thinking stands. */
export type ThinkingFields = Partial<
  Record<'enable_thinking' | 'reasoning_effort' | 'thinking_budget', readonly string[]>
>;

/** What a client asks of the model, whichever API it came by. */
export interface GenerationRequest {
  /** The name the client gives the model, and is told again. */
  model: string | undefined;
  messages: readonly Message[];
  /** The client's names of what errors may concern as a whole. */
  params: { messages: string; schema: string };
  stream: boolean;
  /** How many answers are wanted, one after the other. */
  answers: number;
  /** 64 bits, signed; a bigint beyond 2^53. */
  seed: number | bigint | undefined;
  maxTokens: number | undefined;
  /** Texts at which an answer ends, without them. mlx_vlm knows none. */
  stops: readonly string[];
  tools: Tools | undefined;
  /** Whether an answer may call more than one function. mlx_vlm does not ask. */
  parallelToolCalls: boolean;
  /** What mlx_vlm is given as it is, under its own names (`VLMRequest` in its `schemas.py`). */
  parameters: Readonly<Record<string, unknown>>;
  /** The client's fields that ask for thinking, by mlx_vlm's names for them. */
  thinkingFields: ThinkingFields;
  /** The client's field that asks for the last message, an assistant's, to be continued. */
  continuedBy: string | undefined;
  /** For the model's chat template. The launcher passes on those that the template uses. */
  templateKwargs: Readonly<Record<string, string | number | boolean>>;
}

const MAX_SEED = 2 ** 32;
/** The limit for a model whose context length is unknown. */
const NO_LIMIT = 1_000_000;
/** Below this, the runtime rounds `top_p` to 0, which it treats as not given. */
const MIN_TOP_P = 1e-6;

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
  const { messages, seed, maxTokens = NO_LIMIT, tools } = request;
  const templateKwargs = Object.fromEntries(
    Object.entries(request.templateKwargs).filter(([name]) => model.template_names.includes(name)),
  );
  const parameters = toSampling(request.parameters);
  refuseTooManyImages(request, model.context_length);
  refuseEmpty(request);
  refuseHeldContinuation(request);
  refuseMediaTokens(messages, tools, model.media_tokens);
  refuseMediaTokensInTemplate(templateKwargs, model.media_tokens);
  if (model.vocab_size !== null) refuseBeyondVocabulary(parameters, model.vocab_size);
  return {
    model: model.model,
    stream: true,
    stream_options: { include_usage: true },
    context_management: [], // none given means that mlx_vlm shortens conversations by itself
    messages: toRuntimeMessages(messages, imageDataUrls),
    seed: seed === undefined ? randomInt(MAX_SEED) : toRuntimeSeed(seed, index),
    // mlx_vlm's default is 2,048 tokens.
    max_tokens: Math.min(maxTokens, model.context_length ?? NO_LIMIT),
    ...parameters,
    ...toRuntimeTools(tools),
    ...(request.continuedBy === undefined ? {} : { sightglass_continue_final_message: true }),
    ...(Object.keys(templateKwargs).length === 0
      ? {}
      : { sightglass_template_kwargs: templateKwargs }),
  };
}

/** A `top_p` of 0 means the likeliest token only, but mlx_vlm treats it as not given. */
function toSampling(parameters: GenerationRequest['parameters']): Record<string, unknown> {
  const { top_p, top_k, ...others } = parameters;
  return {
    ...others,
    ...(top_k === undefined ? {} : { top_k: Math.max(0, Number(top_k)) }),
    ...(top_p === undefined ? {} : Number(top_p) < MIN_TOP_P ? { temperature: 0 } : { top_p }),
  };
}

/**
 * mlx_vlm uses 32 bits of a seed. The upper 32 of a signed 64-bit one change the lower ones, so that
 * 7 and -7 differ, as do two large neighbours. Seeds of 32 bits stay as they are.
 */
function toRuntimeSeed(seed: number | bigint, index: number): number {
  const bits = BigInt.asUintN(64, BigInt(seed) + BigInt(index));
  const upper = Number(bits >> 32n);
  return (Number(bits & 0xffff_ffffn) ^ Math.imul(upper, 0x9e37_79b1)) >>> 0;
}

/** An empty conversation cannot be answered; mlx_vlm's own error does not name the field. */
function refuseEmpty({ messages, params }: GenerationRequest): void {
  const says = messages.some(
    ({ content, toolCalls = [], reasoning }) =>
      toolCalls.length > 0 ||
      (reasoning?.text.trim() ?? '') !== '' ||
      content.some((part) => part.type === 'image' || part.text.trim() !== ''),
  );
  if (says) return;
  throw new InvalidRequestError(
    `Expected \`${params.messages}\` to contain text or an image, got only empty text.`,
    { param: params.messages, code: 'empty_input' },
  );
}

/** A grammar begins at the first token of the answer: what is continued would be no part of it. */
function refuseHeldContinuation({ continuedBy, parameters, tools, params }: GenerationRequest) {
  const format = parameters['response_format'] as { type?: string } | undefined;
  const isHeld = tools?.choice === 'required' || (format?.type ?? 'text') !== 'text';
  if (continuedBy === undefined || !isHeld) return;
  throw new InvalidRequestError(
    'The last message cannot be continued by an answer that is held to a schema or to a call. ' +
      `End \`${params.messages}\` with a user's message, or leave out the schema or \`tool_choice\`.`,
    { param: continuedBy, code: 'cannot_continue' },
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
      `Expected \`${param}\` not to contain ${token}, which marks images for this model. Remove it.`,
      { param, code: 'media_token_in_text' },
    );
  }
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
