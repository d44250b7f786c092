import { once } from 'node:events';
import { createServer, type Server } from 'node:net';

/** The port that was asked for is taken; says which one is free. */
export class PortTakenError extends Error {
  override name = 'PortTakenError';
}

/**
 * Listens on the address and gives the port.
 * @throws PortTakenError, or what the system says of the address
 */
export async function listen(
  server: Server,
  { host, port }: { host: string; port: number },
): Promise<number> {
  try {
    return await listenOn(server, host, port);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EADDRINUSE') throw error;
    const free = await nextFreePort(host, port + 1);
    throw new PortTakenError(
      `Port ${port} is already in use.${free === undefined ? '' : ` The next free one: --port ${free}`}`,
      { cause: error },
    );
  }
}

async function listenOn(server: Server, host: string, port: number): Promise<number> {
  server.listen(port, host);
  await once(server, 'listening');
  const address = server.address();
  return typeof address === 'object' && address !== null ? address.port : port;
}

async function nextFreePort(host: string, first: number): Promise<number | undefined> {
  for (let port = first; port < Math.min(first + 100, 65_536); port += 1) {
    const probe = createServer();
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
