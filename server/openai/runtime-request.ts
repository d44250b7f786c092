import { randomInt } from 'node:crypto';
import type { RuntimeChatRequest } from '../runtime/chat-protocol.ts';
import type { ReadyLine } from '../runtime/launcher-line.ts';
import { InvalidRequestError } from './api-error.ts';
import { type ChatCompletionRequest, samplingParameters } from './chat-request.ts';
import { toRuntimeMessage } from './conversation.ts';

const MAX_SEED = 2 ** 32;

/**
 * What the runtime is asked: always the loaded model (another name would make mlx_vlm download it),
 * always streaming (that is what can be cancelled), always a seed (without one it uses 0).
 */
export function toRuntimeRequest(
  request: ChatCompletionRequest,
  imageDataUrls: readonly string[],
  model: ReadyLine,
): RuntimeChatRequest {
  const images = imageDataUrls.values();
  const nextImage = () => images.next().value ?? '';
  const maxTokens = request.max_completion_tokens ?? request.max_tokens;
  if (model.vocab_size !== null) refuseBeyondVocabulary(request, model.vocab_size);
  return {
    model: model.model,
    stream: true,
    stream_options: { include_usage: true },
    context_management: [], // none given means that mlx_vlm shortens conversations by itself
    messages: request.messages.map((message) => toRuntimeMessage(message, nextImage)),
    seed: request.seed == null ? randomInt(MAX_SEED) : Math.abs(request.seed) % MAX_SEED,
    ...(maxTokens == null ? {} : { max_tokens: maxTokens }),
    ...Object.fromEntries(
      samplingParameters
        .filter((parameter) => request[parameter] != null)
        .map((parameter) => [parameter, request[parameter]]),
    ),
  };
}

/** The stop sequences of a request, which the gateway minds itself. */
export function stopsOf({ stop }: ChatCompletionRequest): readonly string[] {
  return stop == null ? [] : [stop].flat();
}

/** What counts tokens must stay within those there are: mlx_vlm would fail in mid-generation. */
function refuseBeyondVocabulary(
  { logit_bias, top_k }: ChatCompletionRequest,
  vocabSize: number,
): void {
  const token = Object.keys(logit_bias ?? {}).find((id) => Number(id) >= vocabSize);
  if (token !== undefined) {
    throw new InvalidRequestError(
      `Expected the token ids of \`logit_bias\` to be below ${vocabSize}, got ${token}.`,
      { param: `logit_bias.${token}` },
    );
  }
  if (top_k != null && top_k > vocabSize) {
    throw new InvalidRequestError(
      `Expected \`top_k\` to be at most ${vocabSize}, the number of the model's tokens, got ${top_k}.`,
      { param: 'top_k' },
    );
  }
}
