import { once } from 'node:events';
import { createServer } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';

/** A company's proxy: passes TLS connections on. */
export class ConnectProxy {
  /** The hosts that it was asked to connect to, in order. */
  readonly asked: string[] = [];
  /** How it refuses the next connections, in order; undefined: it does not. */
  readonly refusals: (string | undefined)[] = [];
  readonly #server = createServer((_, response) => response.writeHead(501).end());
  readonly #sockets = new Set<Socket>();

  static async start(): Promise<ConnectProxy> {
    const proxy = new ConnectProxy();
    proxy.#server.on('connect', (request, client: Socket) => {
      proxy.#connect(request.url ?? '', client);
    });
    proxy.#server.listen(0, '127.0.0.1');
    await once(proxy.#server, 'listening');
    return proxy;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  #connect(target: string, client: Socket): void {
    this.asked.push(target);
    const refusal = this.refusals.shift();
    if (refusal !== undefined) {
      client.end(`HTTP/1.1 ${refusal}\r\ncontent-length: 0\r\n\r\n`);
      return;
    }
    const { hostname, port } = new URL(`http://${target}`);
    const server = connect(Number(port), hostname, () => {
      client.write('HTTP/1.1 200 Connection established\r\n\r\n');
      client.pipe(server).pipe(client);
    });
    for (const [socket, other] of [
      [client, server],
      [server, client],
    ] as const) {
      this.#sockets.add(socket);
      socket.on('error', () => {}); // its close follows
      socket.on('close', () => {
        this.#sockets.delete(socket);
        other.destroy();
      });
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    this.#server.close();
    await once(this.#server, 'close');
  }
}
