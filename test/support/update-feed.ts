import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** The end record of an empty zip. */
const ZIP_END = Buffer.concat([Buffer.from('PK\x05\x06', 'latin1'), Buffer.alloc(18)]);

export type Answer = (request: IncomingMessage, response: ServerResponse) => void;

/** A local server with a new release of the app, whose responses a test can replace. */
export class UpdateFeed {
  readonly version = '9.8.7';
  readonly zip = Buffer.concat([randomBytes(400_000), ZIP_END]);
  /** Responses that replace those of the release, by path. */
  readonly answers = new Map<string, Answer>();
  readonly asked: string[] = [];
  #port = 0;
  readonly #server = createServer((request, response) => this.#answer(request, response));

  static async start(): Promise<UpdateFeed> {
    const feed = new UpdateFeed();
    feed.#server.listen(0, '127.0.0.1');
    await once(feed.#server, 'listening');
    return feed;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  get zipPath(): string {
    return `/Sightglass-${this.version}-arm64-mac.zip`;
  }

  /** `latest-mac.yml`, as electron-builder writes it. */
  get channelFile(): string {
    const sha512 = createHash('sha512').update(this.zip).digest('base64');
    const file = this.zipPath.slice(1);
    return [
      `version: ${this.version}`,
      'files:',
      `  - url: ${file}`,
      `    sha512: ${sha512}`,
      `    size: ${this.zip.length}`,
      `path: ${file}`,
      `sha512: ${sha512}`,
      "releaseDate: '2026-11-20T12:00:00.000Z'",
      '',
    ].join('\n');
  }

  /** Refuses connections until `resume`. */
  async pause(): Promise<void> {
    this.#port = this.port;
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, 'close');
  }

  async resume(): Promise<void> {
    this.#server.listen(this.#port, '127.0.0.1');
    await once(this.#server, 'listening');
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.pause();
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    const { pathname } = new URL(request.url ?? '/', 'http://feed');
    this.asked.push(pathname);
    const answer = this.answers.get(pathname);
    if (answer !== undefined) answer(request, response);
    else if (pathname === '/latest-mac.yml') response.end(this.channelFile);
    else if (pathname === this.zipPath) {
      response.writeHead(200, { 'content-length': this.zip.length }).end(this.zip);
    } else response.writeHead(404).end();
  }
}
