import { ApiError, InvalidRequestError } from '../errors.ts';
import type { GenerationRequest } from './request.ts';

const MAX_SHOWN = 500;
/** `structured_output.py` reports this for a grammar that exceeds its limits. */
const TOO_COMPLEX = /is too complex/;

interface ClientMistake {
  pattern: RegExp;
  code: string | null;
  concernsMessages?: boolean;
  concernsSchema?: boolean;
  /** Replaces the runtime's message. */
  shown?: string;
}

/**
 * Errors that the runtime reports mid-stream but that the request caused. The first comes from our
 * launcher (`resources/runtime/launcher/generation_thread.py`), the others from mlx_vlm and Pillow.
 */
const CLIENT_MISTAKES: readonly ClientMistake[] = [
  {
    pattern: /maximum context length is \d+ tokens/,
    code: 'context_length_exceeded',
    concernsMessages: true,
  },
  {
    pattern: /Failed to load image|image file is truncated|Failed to process inputs/,
    code: 'image_unreadable',
    concernsMessages: true,
    shown: 'The model runtime cannot read an image. Save it again as PNG or JPEG.',
  },
  { pattern: /`top_k`|logit_bias|penalty must be/, code: null },
  {
    pattern: /LLGuidance matcher error/,
    code: 'schema_too_complex',
    concernsSchema: true,
    shown: 'The schema is too complex to enforce. Use fewer optional or nested properties.',
  },
];

/** Whether the request caused the error, so that a retry would fail as well. */
export function isClientMistake({ message }: Error): boolean {
  return CLIENT_MISTAKES.some(({ pattern }) => pattern.test(message));
}

/** Converts a runtime error to one that names the client's fields. */
export function toGenerationError(
  error: Error & { status?: number; code?: string | undefined },
  request: GenerationRequest,
): ApiError {
  const { message } = error;
  const shown = message.length > MAX_SHOWN ? `${message.slice(0, MAX_SHOWN)}…` : message;
  const templateError = toTemplateError(error.code, shown, request, error);
  if (templateError !== undefined) return templateError;
  const schema = schemaParam(request);
  if (error.status === 400 && schema !== undefined) {
    return new InvalidRequestError(
      `The JSON Schema or grammar in \`${schema}\` cannot be enforced: ${shown}.`,
      {
        param: schema,
        code: TOO_COMPLEX.test(message) ? 'schema_too_complex' : null,
        cause: error,
      },
    );
  }
  if (error.status !== undefined && error.status >= 400 && error.status < 500) {
    return new InvalidRequestError(`The model runtime refused the request: ${shown}`, {
      cause: error,
    });
  }
  const mistake = CLIENT_MISTAKES.find(({ pattern }) => pattern.test(message));
  if (mistake !== undefined) {
    const { code, concernsMessages, concernsSchema } = mistake;
    const param = concernsMessages
      ? request.params.messages
      : concernsSchema
        ? (schema ?? null)
        : null;
    return new InvalidRequestError(mistake.shown ?? shown, { code, param, cause: error });
  }
  return new ApiError(`The model failed to answer: ${shown}`, {
    status: 500,
    type: 'server_error',
    code: 'generation_failed',
    cause: error,
  });
}

/** Converts an error about the model's chat template (`chat_template.py`). */
function toTemplateError(
  code: string | undefined,
  shown: string,
  { params, continuationParam }: GenerationRequest,
  cause: Error,
): ApiError | undefined {
  const { messages } = params;
  switch (code) {
    case 'template_refused':
      return new InvalidRequestError(
        `The model's chat template does not accept \`${messages}\`: ${withPeriod(shown)} Change the ` +
          'conversation, or use another model.',
        { param: messages, code, cause },
      );
    case 'template_failed':
      return new ApiError(
        `The model's chat template failed: ${withPeriod(shown)} Retrying will not help. Download the ` +
          'model again, or use another one.',
        { status: 500, type: 'server_error', code, headers: { 'x-should-retry': 'false' }, cause },
      );
    case 'cannot_continue':
      return new InvalidRequestError(
        `The last message cannot be continued: ${withPeriod(shown)} End \`${messages}\` with a ` +
          "user's message.",
        { param: continuationParam ?? messages, code, cause },
      );
    case 'too_many_images':
      return new InvalidRequestError(`${withPeriod(shown)}`, { param: messages, code, cause });
    default:
      return undefined;
  }
}

function withPeriod(text: string): string {
  return /[.!?…]$/.test(text) ? text : `${text}.`;
}

/** The field whose schema or grammar constrains the answer, if any. */
function schemaParam({ parameters, tools, params }: GenerationRequest): string | undefined {
  if (tools?.choice === 'required') {
    const constrained = tools.functions.find(({ grammar }) => grammar !== undefined);
    return (constrained ?? tools.functions[0])?.param ?? 'tools';
  }
  const format = parameters['response_format'] as { type?: string } | undefined;
  return format?.type === 'json_schema' ? params.schema : undefined;
}
