import { EventEmitter } from 'node:events';
import http from 'node:http';
import { refuseUnknownKeys } from '../strict.ts';

const OPTIONS = [
  'headers',
  'host',
  'hostname',
  'method',
  'path',
  'port',
  'protocol',
  'redirect',
  'session',
  'url',
];

/** The error names of Chromium's network stack, by Node's codes. */
const CHROMIUM_ERRORS: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'net::ERR_CONNECTION_REFUSED',
  ECONNRESET: 'net::ERR_CONNECTION_RESET',
  ENOTFOUND: 'net::ERR_NAME_NOT_RESOLVED',
};

interface RequestOptions {
  url?: string;
  protocol?: string;
  host?: string;
  hostname?: string;
  port?: number | string;
  path?: string;
  method?: string;
  headers?: http.OutgoingHttpHeaders;
  redirect?: 'follow' | 'error' | 'manual';
}

/**
 * `net.request` of main: plain HTTP to this machine, with Chromium's names for what fails. It
 * does not follow redirects: on one, the caller aborts the request and makes another.
 */
export class ClientRequest extends EventEmitter {
  readonly #request: http.ClientRequest;
  #isAborted = false;

  constructor(options: RequestOptions) {
    super();
    refuseUnknownKeys('net.request', options, OPTIONS);
    const { headers = {}, method = 'GET' } = options;
    const url = toUrl(options);
    this.#request = http.request(url, { method, headers });
    this.#request.on('response', (response) => this.#answer(response, method, url));
    this.#request.on('error', (error: NodeJS.ErrnoException) => {
      if (this.#isAborted) return;
      this.emit('error', new Error(CHROMIUM_ERRORS[error.code ?? ''] ?? 'net::ERR_FAILED'));
    });
    this.#request.on('close', () => this.emit('close'));
  }

  setHeader(name: string, value: string): void {
    this.#request.setHeader(name, value);
  }

  write(data: string | Buffer): void {
    this.#request.write(data);
  }

  end(data?: string | Buffer): void {
    this.#request.end(data);
  }

  abort(): void {
    if (this.#isAborted) return;
    this.#isAborted = true;
    this.#request.destroy();
    this.emit('abort');
  }

  #answer(response: http.IncomingMessage, method: string, url: URL): void {
    const { statusCode = 0, headers } = response;
    if (statusCode < 300 || statusCode > 399 || headers.location === undefined) {
      this.emit('response', response);
      return;
    }
    response.resume();
    this.emit('redirect', statusCode, method, new URL(headers.location, url).href, headers);
    if (this.#isAborted) return;
    this.#isAborted = true;
    this.emit('error', new Error('the stand-in follows no redirect'));
  }
}

function toUrl({ url, protocol = 'http:', hostname, host, port, path = '/' }: RequestOptions): URL {
  const name = hostname ?? host ?? '127.0.0.1';
  const to = new URL(url ?? `${protocol}//${name}${port ? `:${port}` : ''}${path}`);
  const isHere = to.hostname === '127.0.0.1' || to.hostname === 'localhost';
  if (to.protocol !== 'http:' || !isHere) {
    throw new TypeError(
      `the stand-in has no net.request of ${to.origin}: it stays on this machine`,
    );
  }
  return to;
}
