import { STATUS_CODES } from 'node:http';
import type { Duplex } from 'node:stream';
import { InvalidRequestError } from '../openai/api-error.ts';

/** What Node's parser found wrong, by its error code; anything else is no HTTP at all. */
const PROBLEMS: Readonly<Record<string, { status: number; message: string }>> = {
  HPE_HEADER_OVERFLOW: {
    status: 431,
    message: 'Expected request headers of at most 16 KiB. Send large values in the body.',
  },
  ERR_HTTP_REQUEST_TIMEOUT: {
    status: 408,
    message: 'The request did not arrive in full in time. Send it again.',
  },
};
const NO_HTTP = { status: 400, message: 'Expected an HTTP/1.1 request. Is the URL https?' };

/** Answers a connection on which no request could be read, in OpenAI's form, and closes it. */
export function answerMalformedHttp(error: NodeJS.ErrnoException, socket: Duplex): void {
  if (!socket.writable || error.code === 'ECONNRESET') {
    socket.destroy();
    return;
  }
  const { status, message } = PROBLEMS[error.code ?? ''] ?? NO_HTTP;
  const body = JSON.stringify(new InvalidRequestError(message, { status }).toBody());
  socket.end(
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\nconnection: close\r\n` +
      `content-type: application/json; charset=utf-8\r\n` +
      `content-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
  );
}
