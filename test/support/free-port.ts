import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';

/**
 * A free loopback port. It is below the range that the system uses for port 0, so that no other
 * process gets it before it is used.
 */
export async function freePort(): Promise<number> {
  const port = 20_000 + randomInt(12_000);
  const probe = createServer().listen(port, '127.0.0.1');
  try {
    await once(probe, 'listening');
  } catch {
    return freePort();
  }
  await new Promise((closed) => probe.close(closed));
  return port;
}
