import { once } from 'node:events';
import { createServer, type RequestListener, type Server } from 'node:http';
import { createServer as createProbe, type Server as NetServer } from 'node:net';

/** The port that was asked for is taken; says which one is free. */
export class PortTakenError extends Error {
  override name = 'PortTakenError';
}

/** The listening side of the service: begins, and ends in order or at once. */
export class HttpServer {
  readonly #server: Server;

  constructor(handler: RequestListener) {
    // Longer than clients keep an idle connection, so that they close it and not we under a request.
    this.#server = createServer({ keepAliveTimeout: 65_000 }, handler);
    this.#server.on('request', (_request, response) => {
      response.once('close', () => {
        if (!this.#server.listening) setImmediate(() => this.#server.closeIdleConnections());
      });
    });
  }

  /**
   * Listens on the address and gives the port.
   * @throws PortTakenError, or what the system says of the address
   */
  async listen({ host, port }: { host: string; port: number }): Promise<number> {
    try {
      return await listenOn(this.#server, host, port);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EADDRINUSE') throw error;
      const free = await nextFreePort(host, port + 1);
      const offer = free === undefined ? '' : ` The next free one: --port ${free}`;
      throw new PortTakenError(`Port ${port} is already in use.${offer}`, { cause: error });
    }
  }

  /** Accepts no more connections; resolves when every request there is has been answered. */
  async drain(): Promise<void> {
    if (!this.#server.listening) return;
    const closed = once(this.#server, 'close');
    this.#server.close();
    this.#server.closeIdleConnections();
    await closed;
  }

  /** Closes every connection, answered or not. */
  close(): void {
    this.#server.close();
    this.#server.closeAllConnections();
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
