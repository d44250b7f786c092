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

/** Local programs accept connections immediately, but a firewall may drop packets. */
const CONNECT_TIMEOUT_MS = 1000;

/** Thrown when the server cannot listen on an address. */
export class ListenError extends Error {
  override name = 'ListenError';
  /** The next free port, if the requested one is in use. */
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

/** Listens for HTTP connections, moves to another address, and shuts down gracefully or at once. */
export class HttpServer {
  #handler: RequestListener;
  #server: Server;
  /** Servers on previous addresses, which may still be answering requests. */
  readonly #moved = new Set<Server>();
  readonly #open = new Set<ServerResponse>();
  readonly #answered = Promise.withResolvers<void>();
  /** Set by `drain` and `close`, so that a pending `listen` closes the server again. */
  #isClosing = false;

  constructor(handler: RequestListener) {
    this.#handler = handler;
    this.#server = this.#createServer();
  }

  /** Handles requests that arrive from now on. */
  setHandler(handler: RequestListener): void {
    this.#handler = handler;
  }

  /**
   * Listens on another address instead. Requests on the old one are still answered. If the new
   * address fails, listens on the old one again.
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
   * Listens on the address and returns the port.
   * @throws ListenError
   */
  async listen({ host, port }: Address): Promise<number> {
    const server = this.#server;
    try {
      const actualPort = await listenOn(server, host, port);
      if (this.#isClosing) server.close();
      return actualPort;
    } catch (error) {
      const { code, message } = error as NodeJS.ErrnoException;
      if (code !== 'EADDRINUSE') {
        throw new ListenError(`Cannot listen on ${host}, port ${port}: ${message}.`, error);
      }
      const free = await nextFreePort(host, port + 1);
      const advice = free === undefined ? '' : ` Try --port ${free}.`;
      throw new ListenError(`Port ${port} is already in use.${advice}`, error, free);
    }
  }

  /** Stops accepting connections. Resolves when all open requests have been answered. */
  drain(): Promise<void> {
    this.#isClosing = true;
    this.#server.close();
    this.#resolveIfAnswered();
    return this.#answered.promise;
  }

  /** Closes every connection, answered or not. */
  close(): void {
    this.#isClosing = true;
    this.#server.close();
    for (const server of [this.#server, ...this.#moved]) server.closeAllConnections();
  }

  #createServer(): Server {
    // Longer than clients keep idle connections, so that we never close one as a request arrives.
    const server = createServer({ keepAliveTimeout: 65_000 });
    server.maxConnections = MAX_CONNECTIONS;
    const responseOn = (socket: Duplex) =>
      [...this.#open].find((response) => response.socket === socket);
    /** Sockets that sent invalid HTTP after a complete request, which is still answered. */
    const malformed = new WeakSet<Duplex>();
    server.on('request', (request, response) => {
      this.#open.add(response);
      response.once('close', () => {
        this.#open.delete(response);
        // Otherwise the client would send its next request to this server.
        if (!server.listening || malformed.has(request.socket)) request.socket.end();
        this.#resolveIfAnswered();
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
      // Node closes the connection when the client closes its side, so answer before that.
      socket.prependListener('end', () => {
        const response = responseOn(socket);
        if (response?.headersSent === false && response.req.complete) {
          answerMalformedHttp(HALF_CLOSED, socket);
        }
      });
    });
    return server;
  }

  /** A response closes once the client has read it. Node considers the connection idle earlier. */
  #resolveIfAnswered(): void {
    if (!this.#server.listening && this.#open.size === 0) this.#answered.resolve();
  }
}

/**
 * Whether another program accepts connections where clients of `host` would connect. Binding is not a
 * sufficient test: libuv sets SO_REUSEADDR, so macOS lets 127.0.0.1 and 0.0.0.0 share a port
 * (nodejs/node#26274), and a program on [::1] would receive requests to `localhost`.
 */
async function isPortTaken(host: string, port: number): Promise<boolean> {
  const accepts = await Promise.all(
    addressesOf(host).map((address) => acceptsConnections(address, port)),
  );
  return accepts.includes(true);
}

/** Whether a program accepts TCP connections at this address. */
export function acceptsConnections(host: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host, port, timeout: CONNECT_TIMEOUT_MS });
    const settle = (accepted: boolean) => {
      socket.destroy();
      resolve(accepted);
    };
    socket.once('connect', () => settle(true));
    socket.once('timeout', () => settle(false));
    socket.once('error', () => settle(false));
  });
}

/** The error that listening on this address would cause, or undefined. */
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

/** Not one of Node's codes: the client sent a complete request and closed its side. */
const HALF_CLOSED = 'HALF_CLOSED';

/** Messages by Node's error code. Any other code means that the data is not HTTP. */
const PROBLEMS: Readonly<Record<string, { status: number; message: string }>> = {
  HPE_HEADER_OVERFLOW: {
    status: 431,
    message: 'The request headers are larger than 16 KiB. Send large values in the body.',
  },
  ERR_HTTP_REQUEST_TIMEOUT: {
    status: 408,
    message: 'The request did not arrive in time. Try again.',
  },
  HPE_INVALID_CHUNK_SIZE: {
    status: 400,
    message: 'The body is chunked, but a chunk size is invalid. Check the client or proxy.',
  },
  HPE_INVALID_EOF_STATE: {
    status: 400,
    message: 'The body is shorter than its Content-Length. Check the client or proxy.',
  },
  [HALF_CLOSED]: {
    status: 400,
    message:
      'The client closed its side of the connection before the response was ready. Keep it open ' +
      'until the response has arrived.',
  },
};
const NOT_HTTP = {
  status: 400,
  message: 'This is not an HTTP/1.1 request. Use http:// instead of https://.',
};

/** Answers invalid HTTP with OpenAI's error object and closes the connection. */
function answerMalformedHttp(code: string | undefined, socket: Duplex): void {
  if (!socket.writable || code === 'ECONNRESET') {
    socket.destroy();
    return;
  }
  const { status, message } = PROBLEMS[code ?? ''] ?? NOT_HTTP;
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

/** The addresses that clients on this machine may use for a server that listens on `host`. */
export function addressesOf(host: string): readonly string[] {
  const usesLocalhost = host === ALL_IPV4 || host === ALL_IPV6 || isLoopback(host);
  return usesLocalhost ? [...new Set([toLocalAddress(host), ...LOOPBACK])] : [host];
}

/**
 * A URL that reaches this server from this machine. Never uses `localhost`, which may resolve to
 * 127.0.0.1 or ::1, because another program may listen on the one that this server does not use.
 */
export function reachableUrl(host: string, port: number): string {
  const address = toLocalAddress(host);
  return `http://${isIPv6(address) ? `[${address}]` : address}:${port}`;
}

function toLocalAddress(host: string): string {
  if (host === ALL_IPV4) return LOOPBACK[0];
  return host === ALL_IPV6 ? LOOPBACK[1] : host;
}
