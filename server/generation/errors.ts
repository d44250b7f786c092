import { ApiError, InvalidRequestError } from '../errors.ts';
import type { GenerationRequest } from './request.ts';

const MAX_SHOWN = 500;
/** What `structured_output.py` reports for a grammar beyond its limits. */
const TOO_COMPLEX = /is too complex/;

interface Mistake {
  pattern: RegExp;
  code: string | null;
  concernsMessages?: boolean;
  concernsSchema?: boolean;
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
    concernsMessages: true,
  },
  {
    pattern: /Failed to load image|image file is truncated|Failed to process inputs/,
    code: 'image_unreadable',
    concernsMessages: true,
    shown: 'The model runtime cannot read an image. Save it again as PNG or JPEG and send that.',
  },
  { pattern: /`top_k`|logit_bias|penalty must be/, code: null },
  {
    pattern: /LLGuidance matcher error/,
    code: 'schema_too_complex',
    concernsSchema: true,
    shown: 'The schema is too complex to enforce. Use fewer optional or nested properties.',
  },
];

/** Whether the request itself caused the error, so that retrying it is pointless. */
export function isClientMistake({ message }: Error): boolean {
  return CLIENT_MISTAKES.some(({ pattern }) => pattern.test(message));
}

/** What the runtime said went wrong with a request, as its client may read it. */
export function toGenerationError(
  error: Error & { status?: number; code?: string | undefined },
  request: GenerationRequest,
): ApiError {
  const { message } = error;
  const shown = message.length > MAX_SHOWN ? `${message.slice(0, MAX_SHOWN)}…` : message;
  const ofTemplate = toTemplateError(error.code, shown, request, error);
  if (ofTemplate !== undefined) return ofTemplate;
  const schema = schemaParam(request);
  if (error.status === 400 && schema !== undefined) {
    return new InvalidRequestError(
      `Expected \`${schema}\` to have a JSON Schema or a grammar that can be enforced: ${shown}.`,
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

/** What the launcher says of the model's chat template (`chat_template.py`). */
function toTemplateError(
  code: string | undefined,
  shown: string,
  { params, continuedBy }: GenerationRequest,
  cause: Error,
): ApiError | undefined {
  const { messages } = params;
  switch (code) {
    case 'template_refused':
      return new InvalidRequestError(
        `The chat template of the model refuses \`${messages}\`: ${withStop(shown)} Change the ` +
          'conversation, or use a model that accepts it.',
        { param: messages, code, cause },
      );
    case 'template_failed':
      return new ApiError(
        `The chat template of the model failed: ${withStop(shown)} Sending the request again will ` +
          'not help. Download the model again, or use another one.',
        { status: 500, type: 'server_error', code, headers: { 'x-should-retry': 'false' }, cause },
      );
    case 'cannot_continue':
      return new InvalidRequestError(
        `The last message cannot be continued: ${withStop(shown)} End \`${messages}\` with a ` +
          "user's message.",
        { param: continuedBy ?? messages, code, cause },
      );
    case 'too_many_images':
      return new InvalidRequestError(`${withStop(shown)}`, { param: messages, code, cause });
    default:
      return undefined;
  }
}

function withStop(text: string): string {
  return /[.!?…]$/.test(text) ? text : `${text}.`;
}

/** The field with the schema that an answer is to be held to, if there is one. */
function schemaParam({ parameters, tools, params }: GenerationRequest): string | undefined {
  if (tools?.choice === 'required') {
    const held = tools.functions.find(({ grammar }) => grammar !== undefined);
    return (held ?? tools.functions[0])?.param ?? 'tools';
  }
  const format = parameters['response_format'] as { type?: string } | undefined;
  return format?.type === 'json_schema' ? params.schema : undefined;
}
