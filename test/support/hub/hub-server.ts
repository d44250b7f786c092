import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import { type HubFile, HubRepository } from './hub-repository.ts';
import { Pace } from './paced-body.ts';

export interface HubRequest {
  method: string;
  path: string;
  range: string | undefined;
  hasToken: boolean;
}

/** A certificate with its key, in PEM. */
interface Tls {
  key: string;
  cert: string;
}

const API = /^\/api\/models\/([^/]+\/[^/]+)(?:\/(tree|revision)\/([^/]+))?$/;
const FILE = /^\/(?:(cdn)\/)?([^/]+\/[^/]+)\/resolve\/[^/]+\/(.+)$/;

/**
 * A local Hugging Face Hub. It speaks the part of the protocol that huggingface_hub needs to
 * download a model, redirects large files, and fails on command.
 */
export class HubServer {
  /** The token of an account with access to gated models. */
  readonly token = 'hf_thisTokenIsForTests';
  readonly pace = new Pace();
  /** All requests, in order. */
  readonly requests: HubRequest[] = [];
  /** The token of an account without access to gated models. */
  readonly strangersToken = 'hf_ofSomebodyElse';
  readonly #tls: Tls | undefined;
  readonly #server: Server;
  /** Serves large files from another origin, which must not receive a token. */
  readonly #cdn: Server;
  readonly #sockets = new Set<Socket>();
  readonly #repositories = new Map<string, HubRepository>();
  readonly #corrupt = new Map<string, number>();
  readonly #break = new Map<string, number>();
  readonly #limit = new Map<string, string>();
  #isDown = false;

  private constructor(tls: Tls | undefined) {
    const answer = (request: IncomingMessage, response: ServerResponse) =>
      this.#answer(request, response);
    const create = () =>
      tls === undefined ? createServer(answer) : createTlsServer({ ...tls }, answer);
    this.#tls = tls;
    this.#server = create();
    this.#cdn = create();
  }

  /** Speaks HTTPS if it has a certificate. */
  static async start({ tls }: { tls?: Tls } = {}): Promise<HubServer> {
    const hub = new HubServer(tls);
    for (const server of [hub.#server, hub.#cdn]) {
      server.on('connection', (socket) => {
        if (hub.#isDown) socket.destroy();
        hub.#sockets.add(socket.on('close', () => hub.#sockets.delete(socket)));
      });
      server.listen(0, '127.0.0.1');
      await once(server, 'listening');
    }
    return hub;
  }

  get url(): string {
    return this.#urlOf(this.#server);
  }

  #urlOf(server: Server): string {
    const scheme = this.#tls === undefined ? 'http' : 'https';
    return `${scheme}://127.0.0.1:${(server.address() as AddressInfo).port}`;
  }

  /** Adds the files of a folder as a model, or as a new revision of one with the same id. */
  async add(id: string, folder: string, { isGated = false } = {}): Promise<HubRepository> {
    const repository = await HubRepository.read(id, folder, isGated);
    this.#repositories.set(id, repository);
    return repository;
  }

  /** Sends wrong bytes of the right length for the next requests for this file. */
  corruptNext(name: string, times = 1): void {
    this.#corrupt.set(name, times);
  }

  /** Cuts the next download of this file after this many bytes. */
  breakNext(name: string, afterBytes: number): void {
    this.#break.set(name, afterBytes);
  }

  /** Answers the next request for the rest of this file with 429 and this Retry-After. */
  limitRest(name: string, retryAfter: string): void {
    this.#limit.set(name, retryAfter);
  }

  /** Simulates a lost network: closes all connections, and new ones too. */
  setDown(isDown: boolean): void {
    this.#isDown = isDown;
    if (isDown) for (const socket of this.#sockets) socket.destroy();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.setDown(true);
    for (const server of [this.#server, this.#cdn]) {
      server.close();
      await once(server, 'close');
    }
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    const { method = 'GET', headers } = request;
    const path = decodeURIComponent(new URL(request.url ?? '/', 'http://hub').pathname);
    const { authorization } = headers;
    const isKnown = [this.token, this.strangersToken].some(
      (each) => authorization === `Bearer ${each}`,
    );
    const mayRead = authorization === `Bearer ${this.token}`;
    this.requests.push({
      method,
      path,
      range: headers.range,
      hasToken: authorization !== undefined,
    });
    const [, apiOf, what] = API.exec(path) ?? [];
    const [, isCdn, fileOf, name = ''] = FILE.exec(path) ?? [];
    const repository = this.#repositories.get(apiOf ?? fileOf ?? '');
    if (authorization !== undefined && !isKnown && isCdn === undefined) {
      refuse(response, 401, '', 'Invalid credentials in Authorization header');
    } else if (repository === undefined) {
      refuse(response, isKnown ? 404 : 401, 'RepoNotFound', 'Repository not found');
    } else if (apiOf !== undefined) {
      const { id, sha, isGated: gated, tree } = repository;
      json(response, what === 'tree' ? tree : { id, sha, gated, private: false, siblings: [] });
    } else if (repository.isGated && !mayRead && isCdn === undefined) {
      refuse(
        response,
        isKnown ? 403 : 401,
        'GatedRepo',
        `Access to model ${repository.id} is restricted.`,
      );
    } else {
      const file = repository.files.get(name);
      const common = { 'x-repo-commit': repository.sha, 'accept-ranges': 'bytes' };
      if (file === undefined) refuse(response, 404, 'EntryNotFound', 'Entry not found');
      else if (file.sha256 === undefined || isCdn !== undefined) {
        this.#send(request, response, file, common);
      } else this.#redirect(path, response, file, common);
    }
  }

  /** Redirects to the origin of large files, with their metadata. */
  #redirect(path: string, response: ServerResponse, file: HubFile, common: object): void {
    response
      .writeHead(302, {
        ...common,
        location: `${this.#urlOf(this.#cdn)}/cdn${path}`,
        'x-linked-etag': `"${file.sha256}"`,
        'x-linked-size': file.data.length,
        etag: `"${file.oid}"`,
        'content-length': 0,
      })
      .end();
  }

  #send(
    { method, headers }: IncomingMessage,
    response: ServerResponse,
    file: HubFile,
    common: object,
  ): void {
    const { name, data, oid, sha256 } = file;
    const from = Number(/^bytes=(\d+)-/.exec(headers.range ?? '')?.[1] ?? 0);
    const retryAfter = this.#limit.get(name);
    if (retryAfter !== undefined && from > 0) {
      this.#limit.delete(name);
      response.writeHead(429, { 'retry-after': retryAfter, 'content-length': 0 }).end();
      return;
    }
    const range = { 'content-range': `bytes ${from}-${data.length - 1}/${data.length}` };
    response.writeHead(from > 0 ? 206 : 200, {
      ...common,
      ...(from > 0 ? range : {}),
      etag: `"${sha256 ?? oid}"`,
      'content-length': data.length - from,
    });
    if (method === 'HEAD') {
      response.end();
      return;
    }
    const left = this.#corrupt.get(name) ?? 0;
    if (left > 0) this.#corrupt.set(name, left - 1);
    const breakAt = this.#break.get(name);
    this.#break.delete(name);
    const whole = data.subarray(from);
    const body = left > 0 ? Buffer.from(whole.map((byte) => byte ^ 1)) : whole;
    void this.pace.write(response, { name, body, breakAt });
  }
}

function json(response: ServerResponse, body: unknown): void {
  response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(body));
}

function refuse(response: ServerResponse, status: number, code: string, message: string): void {
  const headers = { ...(code === '' ? {} : { 'x-error-code': code }), 'x-error-message': message };
  response.writeHead(status, headers).end(JSON.stringify({ error: message }));
}
