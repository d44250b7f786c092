import { MAX_ERROR_CHARACTERS } from './limits.ts';

/** The fields of an {@link ApiError} besides its message, by the names of OpenAI's error object. */
export interface ApiErrorOptions {
  status: number;
  type: ApiErrorType;
  code?: string | null;
  param?: string | null;
  headers?: Readonly<Record<string, string>>;
  cause?: unknown;
}

export type ApiErrorType =
  | 'invalid_request_error'
  | 'authentication_error'
  | 'rate_limit_error'
  | 'timeout_error'
  | 'server_error';

/** OpenAI's error object, and `detail` for clients of the original server. */
export interface ApiErrorBody {
  error: { message: string; type: ApiErrorType; param: string | null; code: string | null };
  detail: string;
}

/** An error to return to the client, with an HTTP status and OpenAI's error object. */
export class ApiError extends Error {
  readonly status: number;
  readonly type: ApiErrorType;
  readonly code: string | null;
  readonly param: string | null;
  readonly headers: Readonly<Record<string, string>>;

  constructor(message: string, options: ApiErrorOptions) {
    super(shorten(message), { cause: options.cause });
    this.name = new.target.name;
    this.status = options.status;
    this.type = options.type;
    this.code = options.code ?? null;
    this.param = options.param == null ? null : shorten(options.param);
    this.headers = options.headers ?? {};
  }

  toBody(): ApiErrorBody {
    const { message, type, param, code } = this;
    return { error: { message, type, param, code }, detail: message };
  }
}

/** Removes the middle of a long text, since a message may quote the client's request. */
function shorten(text: string): string {
  if (text.length <= MAX_ERROR_CHARACTERS) return text;
  const half = MAX_ERROR_CHARACTERS / 2;
  return `${text.slice(0, half)} … ${text.slice(-half)}`.toWellFormed();
}

/** 400: the request is invalid. `param` names the field. */
export class InvalidRequestError extends ApiError {
  constructor(message: string, options: Partial<ApiErrorOptions> = {}) {
    super(message, { status: 400, type: 'invalid_request_error', ...options });
  }
}

/** 401: the API key is missing or wrong. */
export class InvalidApiKeyError extends ApiError {
  constructor(message: string) {
    super(message, {
      status: 401,
      type: 'authentication_error',
      code: 'invalid_api_key',
      headers: { 'www-authenticate': 'Bearer' },
    });
  }
}

/** 429: the queue, the streams or the memory are at capacity. Has the original server's message. */
export class AtCapacityError extends ApiError {
  constructor(
    code: 'queue_full' | 'too_many_streams' | 'too_many_bytes',
    retryAfterSeconds: number,
  ) {
    super('Too many requests. Service is at capacity.', {
      status: 429,
      type: 'rate_limit_error',
      code,
      headers: { 'retry-after': String(retryAfterSeconds) },
    });
  }
}

/** 504: the request has timed out. `x-should-retry` stops OpenAI's SDKs from retrying it. */
export class DeadlineError extends ApiError {
  constructor(timeoutMs: number) {
    super(
      `The request took longer than ${timeoutMs / 1000} s, including the wait in the queue. Request ` +
        'fewer tokens, send smaller images, or raise --queue-timeout.',
      {
        status: 504,
        type: 'timeout_error',
        code: 'queue_timeout',
        headers: { 'x-should-retry': 'false' },
      },
    );
  }
}

/** 503: no model is ready. Some causes require action by the user. */
export class ModelNotReadyError extends ApiError {
  constructor(message: string, cause?: unknown) {
    super(message, { status: 503, type: 'server_error', code: 'model_not_ready', cause });
  }
}

/** 502: the runtime crashed during the request, and again if it was retried. */
export class RuntimeCrashedError extends ApiError {
  constructor(message: string, cause?: unknown) {
    super(message, {
      status: 502,
      type: 'server_error',
      code: 'runtime_crashed',
      headers: { 'x-should-retry': 'false' },
      cause,
    });
  }
}
