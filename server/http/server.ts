import { once } from 'node:events';
import {
  createServer,
  type RequestListener,
  type Server,
  type ServerResponse,
  STATUS_CODES,
} from 'node:http';
import { connect, createServer as createProbe, isIPv6, type Server as NetServer } from 'node:net';
import type { Duplex } from 'node:stream';
import { InvalidRequestError } from '../errors.ts';
import { MAX_CONNECTIONS } from '../limits.ts';
import { isLoopback } from './guards.ts';

/** A local program accepts immediately, but a firewall may drop the packets. */
const CONNECT_WITHIN_MS = 1000;

/** The address cannot be listened on; says why, and which port is free if this one is taken. */
export class ListenError extends Error {
  override name = 'ListenError';
  /** The next free port, when the one asked for is taken. */
  readonly freePort: number | undefined;

  constructor(message: string, cause: unknown, freePort?: number) {
    super(message, { cause });
    this.freePort = freePort;
  }
}

export interface Address {
  host: string;
  port: number;
}

/** The listening side of the service: begins, and ends in order or at once. */
export class HttpServer {
  #handler: RequestListener;
  #server: Server;
  /** Those that listened on another address before, and may still have requests to answer. */
  readonly #moved = new Set<Server>();
  readonly #open = new Set<ServerResponse>();
  readonly #answered = Promise.withResolvers<void>();
  /** Once it drains, an address that it was about to listen on is given up again. */
  #isEnding = false;

  constructor(handler: RequestListener) {
    this.#handler = handler;
    this.#server = this.#createServer();
  }

  /** Answers requests that come from now on. */
  setHandler(handler: RequestListener): void {
    this.#handler = handler;
  }

  /**
   * Listens on another address instead; requests that came on the old one are still answered. When
   * the new one cannot be had, the old one is listened on again.
   * @throws ListenError
   */
  async move(to: Address, from: Address): Promise<number> {
    const old = this.#server;
    this.#moved.add(old);
    old.close(() => this.#moved.delete(old));
    this.#server = this.#createServer();
    try {
      return await this.listen(to);
    } catch (error) {
      this.#server = this.#createServer();
      await this.listen(from);
      throw error;
    }
  }

  /**
   * Listens on the address and gives the port.
   * @throws ListenError
   */
  async listen({ host, port }: Address): Promise<number> {
    const server = this.#server;
    try {
      const given = await listenOn(server, host, port);
      if (this.#isEnding) server.close();
      return given;
    } catch (error) {
      const { code, message } = error as NodeJS.ErrnoException;
      if (code !== 'EADDRINUSE') {
        throw new ListenError(`Cannot listen on ${host}, port ${port}: ${message}.`, error);
      }
      const free = await nextFreePort(host, port + 1);
      const offer = free === undefined ? '' : ` The next free one: --port ${free}`;
      throw new ListenError(`Port ${port} is already in use.${offer}`, error, free);
    }
  }

  /** Accepts no more connections; resolves when every request there is has been answered. */
  drain(): Promise<void> {
    this.#isEnding = true;
    this.#server.close();
    this.#tellIfAnswered();
    return this.#answered.promise;
  }

  /** Closes every connection, answered or not. */
  close(): void {
    this.#isEnding = true;
    this.#server.close();
    for (const server of [this.#server, ...this.#moved]) server.closeAllConnections();
  }

  #createServer(): Server {
    // Longer than clients keep an idle connection, so that they close it and not we under a request.
    const server = createServer({ keepAliveTimeout: 65_000 });
    server.maxConnections = MAX_CONNECTIONS;
    const responseOn = (socket: Duplex) =>
      [...this.#open].find((response) => response.socket === socket);
    /** Sent something else than HTTP after a complete request, which still gets its answer. */
    const malformed = new WeakSet<Duplex>();
    server.on('request', (request, response) => {
      this.#open.add(response);
      response.once('close', () => {
        this.#open.delete(response);
        // Otherwise a client would send its next request here.
        if (!server.listening || malformed.has(request.socket)) request.socket.end();
        this.#tellIfAnswered();
      });
      this.#handler(request, response);
    });
    server.on('clientError', (error, socket) => {
      const response = responseOn(socket);
      if (response?.req.complete) malformed.add(socket);
      else if (response?.headersSent) socket.destroy();
      else answerMalformedHttp((error as NodeJS.ErrnoException).code, socket);
    });
    server.on('connection', (socket) => {
      // Node closes the connection when the client closes its side; answer before it does.
      socket.prependListener('end', () => {
        const response = responseOn(socket);
        if (response?.headersSent === false && response.req.complete) {
          answerMalformedHttp(HALF_CLOSED, socket);
        }
      });
    });
    return server;
  }

  /** A response has closed when the last of it was taken; Node calls it idle before that. */
  #tellIfAnswered(): void {
    if (!this.#server.listening && this.#open.size === 0) this.#answered.resolve();
  }
}

/**
 * Whether a program accepts connections where clients of `host` would arrive. Binding alone does not
 * show it: libuv sets SO_REUSEADDR, with which macOS lets 127.0.0.1 and 0.0.0.0 share a port
 * (nodejs/node#26274), and a program on [::1] alone would receive what is sent to `localhost`.
 */
export async function isPortTaken(host: string, port: number): Promise<boolean> {
  const answers = await Promise.all(
    addressesOf(host).map((address) => acceptsConnections(address, port)),
  );
  return answers.includes(true);
}

/** Whether a program accepts TCP connections there. */
export function acceptsConnections(host: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host, port, timeout: CONNECT_WITHIN_MS });
    const settle = (accepted: boolean) => {
      socket.destroy();
      resolve(accepted);
    };
    socket.once('connect', () => settle(true));
    socket.once('timeout', () => settle(false));
    socket.once('error', () => settle(false));
  });
}

/** The error that listening there would cause; undefined if it would succeed. */
export async function findListenProblem(
  host: string,
  port: number,
): Promise<NodeJS.ErrnoException | undefined> {
  const probe = createProbe();
  try {
    await listenOn(probe, host, port);
    return undefined;
  } catch (error) {
    return error as NodeJS.ErrnoException;
  } finally {
    probe.close();
  }
}

async function listenOn(server: NetServer, host: string, port: number): Promise<number> {
  if (port !== 0 && (await isPortTaken(host, port))) {
    throw Object.assign(new Error(`port ${port} is in use`), { code: 'EADDRINUSE' });
  }
  server.listen(port, host);
  await once(server, 'listening');
  const address = server.address();
  return typeof address === 'object' && address !== null ? address.port : port;
}

async function nextFreePort(host: string, first: number): Promise<number | undefined> {
  for (let port = first; port < Math.min(first + 100, 65_536); port += 1) {
    if ((await findListenProblem(host, port)) === undefined) return port;
  }
  return undefined;
}

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

const LOOPBACK = ['127.0.0.1', '::1'] as const;
const ALL_IPV4 = '0.0.0.0';
const ALL_IPV6 = '::';

/** The addresses at which clients on this machine may look for a server that listens on `host`. */
export function addressesOf(host: string): readonly string[] {
  const usesLocalhost = host === ALL_IPV4 || host === ALL_IPV6 || isLoopback(host);
  return usesLocalhost ? [...new Set([toLocalAddress(host), ...LOOPBACK])] : [host];
}

/**
 * A URL that is certain to reach a server on `host` and `port` from this machine. Not `localhost`:
 * that name may mean 127.0.0.1 or ::1, and another program may listen on the one that we do not.
 */
export function reachableUrl(host: string, port: number): string {
  const address = toLocalAddress(host);
  return `http://${isIPv6(address) ? `[${address}]` : address}:${port}`;
}

function toLocalAddress(host: string): string {
  if (host === ALL_IPV4) return LOOPBACK[0];
  return host === ALL_IPV6 ? LOOPBACK[1] : host;
}
