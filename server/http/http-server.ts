import { once } from 'node:events';
import { createServer, type RequestListener, type Server, type ServerResponse } from 'node:http';
import { createServer as createProbe, type Server as NetServer } from 'node:net';

import { answerMalformedHttp } from './malformed-http.ts';

/** The address cannot be listened on; says why, and which port is free if this one is taken. */
export class ListenError extends Error {
  override name = 'ListenError';
}

/** The listening side of the service: begins, and ends in order or at once. */
export class HttpServer {
  readonly #server: Server;
  readonly #open = new Set<ServerResponse>();
  readonly #answered = Promise.withResolvers<void>();

  constructor(handler: RequestListener) {
    // Longer than clients keep an idle connection, so that they close it and not we under a request.
    this.#server = createServer({ keepAliveTimeout: 65_000 }, handler);
    this.#server.on('request', (_request, response) => {
      this.#open.add(response);
      response.once('close', () => {
        this.#open.delete(response);
        this.#tellIfAnswered();
      });
    });
    this.#server.on('clientError', (error, socket) => {
      const isBeingAnswered = [...this.#open].some((response) => response.socket === socket);
      if (isBeingAnswered) socket.destroy();
      else answerMalformedHttp(error, socket);
    });
  }

  /**
   * Listens on the address and gives the port.
   * @throws ListenError
   */
  async listen({ host, port }: { host: string; port: number }): Promise<number> {
    try {
      return await listenOn(this.#server, host, port);
    } catch (error) {
      const { code, message } = error as NodeJS.ErrnoException;
      if (code !== 'EADDRINUSE') {
        throw new ListenError(`Cannot listen on ${host}, port ${port}: ${message}.`, {
          cause: error,
        });
      }
      const free = await nextFreePort(host, port + 1);
      const offer = free === undefined ? '' : ` The next free one: --port ${free}`;
      throw new ListenError(`Port ${port} is already in use.${offer}`, { cause: error });
    }
  }

  /** Accepts no more connections; resolves when every request there is has been answered. */
  drain(): Promise<void> {
    this.#server.close();
    this.#tellIfAnswered();
    return this.#answered.promise;
  }

  /** Closes every connection, answered or not. */
  close(): void {
    this.#server.close();
    this.#server.closeAllConnections();
  }

  /** A response has closed when the last of it was taken; Node calls it idle before that. */
  #tellIfAnswered(): void {
    if (!this.#server.listening && this.#open.size === 0) this.#answered.resolve();
  }
}

async function listenOn(server: NetServer, host: string, port: number): Promise<number> {
  server.listen(port, host);
  await once(server, 'listening');
  const address = server.address();
  return typeof address === 'object' && address !== null ? address.port : port;
}

async function nextFreePort(host: string, first: number): Promise<number | undefined> {
  for (let port = first; port < Math.min(first + 100, 65_536); port += 1) {
    const probe = createProbe();
    try {
      await listenOn(probe, host, port);
      return port;
    } catch {
      // taken, or not ours to have: the next one
    } finally {
      probe.close();
    }
  }
  return undefined;
}
