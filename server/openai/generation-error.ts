import { ApiError, InvalidRequestError } from './api-error.ts';

const MAX_SHOWN = 500;

/** What the runtime said went wrong, as a client may read it: an image's payload is not repeated. */
export function toGenerationError(error: Error & { status?: number }): ApiError {
  const message = error.message.replace(/data:[\w/+.-]*;base64,[\w+/=-]*/g, 'data:…');
  const shown = message.length > MAX_SHOWN ? `${message.slice(0, MAX_SHOWN)}…` : message;
  if (error.status !== undefined && error.status >= 400 && error.status < 500) {
    return new InvalidRequestError(`The model runtime refused the request: ${shown}`, {
      cause: error,
    });
  }
  return new ApiError(`The model failed to answer: ${shown}`, {
    status: 500,
    type: 'server_error',
    code: 'generation_failed',
    cause: error,
  });
}
