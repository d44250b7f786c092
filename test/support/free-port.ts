import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';

/**
 * A port of loopback that nobody listens on. Below those that the system gives to whoever asks for
 * any: one of them could be another's by the time it is used.
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
