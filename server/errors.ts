import { MAX_ERROR_CHARACTERS } from './limits.ts';

/** What an {@link ApiError} tells beside its message; names are those of OpenAI's error object. */
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

/** OpenAI's error object, with the seed's `detail` beside it. */
export interface ApiErrorBody {
  error: { message: string; type: ApiErrorType; param: string | null; code: string | null };
  detail: string;
}

/** An error a client is shown: an HTTP status and OpenAI's error object. */
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

/** Leaves out the middle: a client's own words may be as long as its whole request. */
function shorten(text: string): string {
  if (text.length <= MAX_ERROR_CHARACTERS) return text;
  const half = MAX_ERROR_CHARACTERS / 2;
  return `${text.slice(0, half)} … ${text.slice(-half)}`.toWellFormed();
}

/** 400: the request cannot be served as it stands; `param` names the field. */
export class InvalidRequestError extends ApiError {
  constructor(message: string, options: Partial<ApiErrorOptions> = {}) {
    super(message, { status: 400, type: 'invalid_request_error', ...options });
  }
}

/** 401: an API key is set and the client's is missing or another. */
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

/** 429: the queue, streams or request memory are at capacity. The message is the seed's. */
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

/** 504: the deadline has passed. The OpenAI SDKs honour `x-should-retry` and do not try again. */
export class DeadlineError extends ApiError {
  constructor(timeoutMs: number) {
    super(
      `The request was not finished within ${timeoutMs / 1000} s (waiting and running together). ` +
        'Ask for fewer tokens or smaller images, or raise --queue-timeout.',
      {
        status: 504,
        type: 'timeout_error',
        code: 'queue_timeout',
        headers: { 'x-should-retry': 'false' },
      },
    );
  }
}

/** 503: there is no model to answer with, now or until somebody acts. */
export class ModelNotReadyError extends ApiError {
  constructor(message: string, cause?: unknown) {
    super(message, { status: 503, type: 'server_error', code: 'model_not_ready', cause });
  }
}

/** 502: the runtime died under the request, and under its one retry if it had one. */
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
