import { STATUS_CODES } from 'node:http';
import type { Duplex } from 'node:stream';
import { InvalidRequestError } from '../openai/api-error.ts';

/** Our own code, not Node's: the client sent a whole request and closed its side. */
export const HALF_CLOSED = 'HALF_CLOSED';

/** Problems by Node's error code. Any other code means that it is not HTTP at all. */
const PROBLEMS: Readonly<Record<string, { status: number; message: string }>> = {
  HPE_HEADER_OVERFLOW: {
    status: 431,
    message: 'Expected request headers of at most 16 KiB. Send large values in the body.',
  },
  ERR_HTTP_REQUEST_TIMEOUT: {
    status: 408,
    message: 'The request did not arrive in full in time. Send it again.',
  },
  HPE_INVALID_CHUNK_SIZE: {
    status: 400,
    message: 'The body is chunked, but a chunk size is not a number. Check the client or proxy.',
  },
  HPE_INVALID_EOF_STATE: {
    status: 400,
    message: 'The body ended before it was complete: it is shorter than its Content-Length.',
  },
  [HALF_CLOSED]: {
    status: 400,
    message:
      'The client closed its side of the connection before the answer was ready. Keep it open ' +
      'until the answer has arrived.',
  },
};
const NO_HTTP = { status: 400, message: 'Expected an HTTP/1.1 request. Is the URL https?' };

/** Answers unreadable HTTP with an error in OpenAI's form, and closes the connection. */
export function answerMalformedHttp(code: string | undefined, socket: Duplex): void {
  if (!socket.writable || code === 'ECONNRESET') {
    socket.destroy();
    return;
  }
  const { status, message } = PROBLEMS[code ?? ''] ?? NO_HTTP;
  const body = JSON.stringify(new InvalidRequestError(message, { status }).toBody());
  socket.end(
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\nconnection: close\r\n` +
      `content-type: application/json; charset=utf-8\r\n` +
      `content-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
  );
}
