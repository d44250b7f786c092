import { ApiError, InvalidRequestError } from '../openai/api-error.ts';

const MAX_SHOWN = 500;

interface Mistake {
  pattern: RegExp;
  code: string | null;
  param: string | null;
  /** What is said instead of the runtime's own words. */
  shown?: string;
}

/**
 * What the runtime says in mid-stream when the request is to blame. The first is our launcher's
 * (`resources/runtime/launcher/upstream.py`), the others are mlx_vlm's and Pillow's.
 */
const CLIENT_MISTAKES: readonly Mistake[] = [
  {
    pattern: /maximum context length is \d+ tokens/,
    code: 'context_length_exceeded',
    param: 'messages',
  },
  {
    pattern: /Failed to load image|image file is truncated|Failed to process inputs/,
    code: 'image_unreadable',
    param: 'messages',
    shown: 'The model runtime cannot read an image. Save it anew, as PNG or JPEG, and send that.',
  },
  { pattern: /`top_k`|logit_bias|penalty must be/, code: null, param: null },
];

/** What the runtime said went wrong, as a client may read it. */
export function toGenerationError(error: Error & { status?: number }): ApiError {
  const { message } = error;
  const shown = message.length > MAX_SHOWN ? `${message.slice(0, MAX_SHOWN)}…` : message;
  if (error.status !== undefined && error.status >= 400 && error.status < 500) {
    return new InvalidRequestError(`The model runtime refused the request: ${shown}`, {
      cause: error,
    });
  }
  const mistake = CLIENT_MISTAKES.find(({ pattern }) => pattern.test(message));
  if (mistake !== undefined) {
    const { code, param } = mistake;
    return new InvalidRequestError(mistake.shown ?? shown, { code, param, cause: error });
  }
  return new ApiError(`The model failed to answer: ${shown}`, {
    status: 500,
    type: 'server_error',
    code: 'generation_failed',
    cause: error,
  });
}
