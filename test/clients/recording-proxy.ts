import { once } from 'node:events';
import http from 'node:http';
import type { AddressInfo } from 'node:net';

export interface Recorded {
  method: string;
  path: string;
  status: number;
  // biome-ignore lint/suspicious/noExplicitAny: bodies have many forms
  body: any;
}

/** Forwards requests from an agent to the server and records them. */
export class RecordingProxy {
  readonly requests: Recorded[] = [];
  readonly #server: http.Server;

  private constructor(target: string) {
    this.#server = http.createServer(async (incoming, outgoing) => {
      const chunks: Buffer[] = [];
      for await (const chunk of incoming) chunks.push(chunk);
      const bytes = Buffer.concat(chunks);
      const response = await forward(target, incoming, bytes);
      this.#record(incoming, response, bytes);
      outgoing.writeHead(response.statusCode ?? 502, response.headers);
      response.pipe(outgoing);
    });
    this.#server.on('upgrade', async (incoming, socket) => {
      const response = await forward(target, incoming, Buffer.alloc(0));
      this.#record(incoming, response, Buffer.alloc(0));
      response.resume();
      socket.end(
        `HTTP/1.1 ${response.statusCode} ${response.statusMessage}\r\n` +
          'connection: close\r\ncontent-length: 0\r\n\r\n',
      );
    });
  }

  static async start(target: string): Promise<RecordingProxy> {
    const proxy = new RecordingProxy(target);
    proxy.#server.listen(0, '127.0.0.1');
    await once(proxy.#server, 'listening');
    return proxy;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  stop(): void {
    this.#server.close();
    this.#server.closeAllConnections();
  }

  #record(incoming: http.IncomingMessage, response: http.IncomingMessage, bytes: Buffer): void {
    const { method = '', url: path = '' } = incoming;
    const body = bytes.length === 0 ? undefined : JSON.parse(bytes.toString());
    this.requests.push({ method, path, status: response.statusCode ?? 0, body });
  }
}

async function forward(
  target: string,
  { method, url, headers }: http.IncomingMessage,
  body: Buffer,
) {
  const { host: _, ...rest } = headers;
  const request = http.request(target + url, { method, headers: rest });
  request.end(body);
  const [response] = (await once(request, 'response')) as [http.IncomingMessage];
  return response;
}
