import type { Server } from 'node:http';
import net, { type NetConnectOpts } from 'node:net';
import type { TestContext } from 'node:test';
import { ImageError, type ImageErrorCode } from '../../../server/images/rules.ts';

/** When the next connection to a server has ended, by an error too. */
export function nextConnectionClosed(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.once('connection', (socket: net.Socket) => socket.once('close', () => resolve()));
  });
}

/**
 * Stands in for the internet: sockets go through their own `lookup`, then land on a local port.
 * Returns the addresses that they would have connected to.
 */
export function routeInternetTo(t: TestContext, port: number): string[] {
  const connect = net.connect;
  const reached: string[] = [];
  t.mock.method(net, 'connect', (options: NetConnectOpts & net.TcpNetConnectOpts) =>
    connect({
      ...options,
      port,
      lookup: (hostname, how, callback) => {
        options.lookup?.(hostname, how, (error, found, family) => {
          if (error === null) {
            reached.push(...[found].flat().map((each) => Object(each).address ?? each));
            callback(null, [{ address: '127.0.0.1', family: 4 }]);
          } else callback(error, found, family);
        });
      },
    }),
  );
  return reached;
}

/** For `assert.rejects`: an ImageError of this code. */
export const imageError = (code: ImageErrorCode) => (error: unknown) => {
  if (error instanceof ImageError && error.code === code) return true;
  throw error;
};
