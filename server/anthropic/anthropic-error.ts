import type { ApiError } from '../openai/api-error.ts';

/** Anthropic's error types by HTTP status (its API reference, "Errors"). */
const TYPES: Readonly<Record<number, string>> = {
  401: 'authentication_error',
  403: 'permission_error',
  404: 'not_found_error',
  413: 'request_too_large',
  429: 'rate_limit_error',
  503: 'overloaded_error',
  504: 'timeout_error',
};

/** The error as Anthropic's clients read it. */
export function toAnthropicError({ status, message }: ApiError, requestId: string) {
  const type = TYPES[status] ?? (status < 500 ? 'invalid_request_error' : 'api_error');
  return { type: 'error', error: { type, message }, request_id: requestId };
}
