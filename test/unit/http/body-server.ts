import { connect } from 'node:net';
import type { TestContext } from 'node:test';
import Koa from 'koa';
import { ByteBudget } from '../../../server/byte-budget.ts';
import { ApiError } from '../../../server/errors.ts';
import type { State } from '../../../server/http/deps.ts';
import { parseJsonBody } from '../../../server/http/json-body.ts';
import { toJsonBody } from '../../../server/long-text.ts';
import { serve } from '../../support/local-server.ts';

interface BodyServerOptions {
  maxMegabytes?: number;
  memoryBytes?: number;
  idleMs?: number;
  /** Handles a body. By default it is sent back. */
  use?: (body: unknown) => unknown;
}

/** A server that only reads bodies, as the service does. */
export async function serveBodies(t: TestContext, options: BodyServerOptions = {}) {
  const { maxMegabytes = 100, memoryBytes = 512e6, idleMs, use = (body) => body } = options;
  const budget = new ByteBudget(memoryBytes);
  const app = new Koa<State>();
  app.on('error', () => {});
  app.use(async (ctx, next) => {
    try {
      await next();
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      ctx.status = error.status;
      ctx.set(error.headers);
      ctx.body = error.toBody();
    }
  });
  app.use(parseJsonBody(maxMegabytes, budget, idleMs));
  app.use(async (ctx) => {
    const body = toJsonBody(await use(ctx.request.body));
    ctx.type = 'json';
    ctx.body = body.stream();
    ctx.length = body.bytes;
  });
  const { url, port } = await serve(t, app.callback());
  return { url, port, budget };
}

const JSON_TYPE = { 'content-type': 'application/json' };

/** Posts a body, and reads the JSON answer. */
export async function post(url: string, body: RequestInit['body'], headers = {}) {
  const init = { method: 'POST', headers: { ...JSON_TYPE, ...headers }, body, duplex: 'half' };
  const response = await fetch(url, init as RequestInit);
  // biome-ignore lint/suspicious/noExplicitAny: tests read any response
  const answer = (await response.json()) as any;
  return { status: response.status, headers: response.headers, answer };
}

/** Sends pieces of these lengths repeatedly, without a content-length. */
export async function* inPieces(bytes: Buffer, lengths: readonly number[]) {
  for (let at = 0, index = 0; at < bytes.length; index += 1) {
    const length = lengths[index % lengths.length] ?? 1;
    yield bytes.subarray(at, at + length);
    at += length;
  }
}

/** Sends headers and the start of a body, and waits for the response. */
export function sendUnfinished(port: number, length: number, bytes: Buffer) {
  const socket = connect(port, '127.0.0.1');
  socket.on('error', () => {});
  socket.write(
    'POST / HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n' +
      `content-length: ${length}\r\n\r\n`,
  );
  socket.write(bytes);
  return socket;
}
