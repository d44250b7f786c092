import { randomUUID } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { Readable } from 'node:stream';
import { createGunzip, createInflate } from 'node:zlib';
import type { Middleware } from 'koa';
import bodyParser from 'koa-bodyparser';
import type { ByteBudget, Reservation } from '../byte-budget.ts';
import { ApiError, InvalidRequestError } from '../errors.ts';
import {
  BODY_IDLE_MS,
  BYTES_PER_VALUE,
  MEMORY_FOR_ORDINARY_BODIES,
  MIN_BODY_BYTES_PER_SECOND,
  ORDINARY_BODY_BYTES,
} from '../limits.ts';
import { type LongText, readJsonString } from '../long-text.ts';
import type { HttpContext, State } from './deps.ts';
import { ClientGoneError } from './errors.ts';
import { mediaTypesOf } from './guards.ts';
import { checkBody, JsonScanner } from './json-scanner.ts';

/**
 * Parses a JSON body within the limits on bodies and on memory. Refuses other content types, because
 * a web page can send text/plain to any origin without a CORS preflight, but not application/json.
 *
 * koa-bodyparser parses ordinary bodies. Larger ones are scanned as they arrive, so that they do not
 * block other clients and their images stay out of the JavaScript heap.
 */
export function parseJsonBody(
  maxMegabytes: number,
  budget: ByteBudget,
  idleMs = BODY_IDLE_MS,
): Middleware<State> {
  const maxBytes = maxMegabytes * 1_000_000;
  const options = {
    enableTypes: ['json'],
    /** `checkBody` refuses `__proto__` with a better message. */
    onProtoPoisoning: 'ignore',
    jsonLimit: `${Math.min(maxBytes, ORDINARY_BODY_BYTES)}b`,
    onerror: (error: Error) => {
      throw error;
    },
  };
  const parse = bodyParser(options);
  return async (ctx, next) => {
    refuseOtherTypes(ctx);
    const memory = budget.reserve();
    ctx.state.memory = memory;
    try {
      if (Number(ctx.get('content-length')) > maxBytes) throw createTooLargeError(maxMegabytes);
      ctx.request.body = isOrdinary(ctx)
        ? await readOrdinary(ctx, { memory, idleMs }, () => parse(ctx, async () => {}))
        : await readLarge(ctx, { memory, idleMs }, maxMegabytes);
      await next();
    } finally {
      memory.release();
    }
  };
}

/** A header that was sent twice arrives as `application/json, application/json`. */
function refuseOtherTypes(ctx: HttpContext): void {
  const types = mediaTypesOf(ctx.get('content-type'));
  if (types.every((type) => type === 'application/json')) {
    ctx.req.headers['content-type'] = 'application/json';
    return;
  }
  throw new InvalidRequestError(
    `The content type must be application/json (got ${ctx.get('content-type') || 'none'}).`,
    { status: 415, code: 'unsupported_media_type' },
  );
}

function isOrdinary(ctx: HttpContext): boolean {
  const length = ctx.get('content-length');
  return (
    ctx.get('content-encoding') === '' && length !== '' && Number(length) <= ORDINARY_BODY_BYTES
  );
}

/** koa-bodyparser's message for a body that is a string or a number. */
const NOT_AN_OBJECT = 'invalid JSON, only supports object and array';

interface Reading {
  memory: Reservation;
  /** How long the body may stall or arrive too slowly. */
  idleMs: number;
}

async function readOrdinary(ctx: HttpContext, reading: Reading, parse: () => Promise<void>) {
  const { memory } = reading;
  const arrival = watch(ctx.req, { ...reading, minBytes: 1, share: 1 });
  try {
    await Promise.race([parse(), arrival.failed]);
  } catch (error) {
    ctx.req.resume();
    throw toBodyError(error);
  } finally {
    arrival.stop();
  }
  const { body, rawBody } = ctx.request as { body?: unknown; rawBody?: string };
  restoreSeed(body, rawBody ?? '');
  // Drops koa-bodyparser's copy of the raw text, which may contain images.
  Reflect.deleteProperty(ctx.request, 'rawBody');
  const { values } = checkBody(ctx.request.body, new Map());
  memory.resize(arrival.bytes + values * BYTES_PER_VALUE);
  return ctx.request.body;
}

async function readLarge(ctx: HttpContext, reading: Reading, maxMegabytes: number) {
  const { memory, idleMs } = reading;
  const placeholder = randomUUID();
  const scanner = new JsonScanner(placeholder);
  const source = decompress(ctx.req, ctx.get('content-encoding'));
  const minBytes = (MIN_BODY_BYTES_PER_SECOND * idleMs) / 1000;
  const share = 1 - MEMORY_FOR_ORDINARY_BODIES;
  const arrival = watch(source, { ...reading, minBytes, share });
  const ended = Promise.withResolvers<void>();
  const scan = (chunk: Buffer) => {
    try {
      if (arrival.bytes > maxMegabytes * 1_000_000) throw createTooLargeError(maxMegabytes);
      scanner.push(chunk);
    } catch (error) {
      ended.reject(error);
    }
  };
  const fail = (error: Error) => ended.reject(ctx.req.errored ? new ClientGoneError() : error);
  source.on('data', scan).once('end', ended.resolve).once('error', fail);
  ctx.req.once('error', fail);
  try {
    await Promise.race([ended.promise, arrival.failed]);
    return await toBody(scanner, placeholder, memory);
  } catch (error) {
    scanner.release();
    throw toBodyError(error);
  } finally {
    arrival.stop();
    source.off('data', scan);
    // Discards the rest of the body, so that the client can read the response.
    if (source !== ctx.req) ctx.req.unpipe();
    ctx.req.resume();
  }
}

async function toBody(scanner: JsonScanner, placeholder: string, memory: Reservation) {
  const { text, taken } = scanner.end();
  const json = text.startsWith('\ufeff') ? text.slice(1) : text;
  if (json !== '' && !/^[\x20\t\n\r]*[[{]/.test(json)) throw new SyntaxError(NOT_AN_OBJECT);
  const body: unknown = json === '' ? {} : JSON.parse(json);
  restoreSeed(body, json);
  const texts = new Map<string, LongText>();
  for (const [index, { literal, hasEscapes }] of taken.entries()) {
    texts.set(`${placeholder}${index}`, await readJsonString(literal, hasEscapes));
  }
  const { values } = checkBody(body, texts);
  const images = [...texts.values()].reduce((sum, { length }) => sum + length, 0);
  memory.resize(images + text.length * 2 + values * BYTES_PER_VALUE);
  return body;
}

/**
 * Replaces a seed that JSON.parse has rounded with an exact bigint. A seed has 64 bits, and numbers
 * above 2^53 are rounded, so that neighbouring seeds would become the same.
 */
function restoreSeed(body: unknown, json: string): void {
  if (typeof body !== 'object' || body === null || !('seed' in body)) return;
  const { seed } = body;
  if (!Number.isInteger(seed) || Number.isSafeInteger(seed)) return;
  for (const [, digits = ''] of json.matchAll(/"seed"\s*:\s*(-?\d+)(?=\s*[,}])/g)) {
    if (Number(digits) === seed) Object.assign(body, { seed: BigInt(digits) });
  }
}

function decompress(request: IncomingMessage, encoding: string): Readable {
  switch (encoding.toLowerCase()) {
    case '':
    case 'identity':
      return request;
    case 'gzip':
      return request.pipe(createGunzip());
    case 'deflate':
      return request.pipe(createInflate());
    default:
      throw new InvalidRequestError(
        `The content encoding must be identity, gzip or deflate (got ${encoding.slice(0, 40)}).`,
        { status: 415, code: 'unsupported_media_type' },
      );
  }
}

interface Arrival {
  readonly bytes: number;
  /** Rejects if there is no memory left or the body arrives too slowly. */
  readonly failed: Promise<never>;
  stop(): void;
}

/** Counts the bytes of a body as they arrive, and fails if it is too slow for too long. */
function watch(
  source: Readable,
  { memory, idleMs, minBytes, share }: Reading & { minBytes: number; share: number },
): Arrival {
  const { promise: failed, reject } = Promise.withResolvers<never>();
  failed.catch(() => {});
  let [bytes, before] = [0, 0];
  const count = (chunk: Buffer) => {
    bytes += chunk.length;
    try {
      memory.grow(chunk.length, share);
    } catch (error) {
      reject(error);
    }
  };
  const timer = setInterval(() => {
    if (bytes - before < minBytes) reject(createSlowError());
    before = bytes;
  }, idleMs);
  source.on('data', count);
  const stop = () => {
    clearInterval(timer);
    source.off('data', count);
  };
  return {
    get bytes() {
      return bytes;
    },
    failed,
    stop,
  };
}

function createSlowError(): InvalidRequestError {
  return new InvalidRequestError(
    'The body arrived too slowly. Try again, with smaller images if the network is slow.',
    { status: 408, code: 'body_too_slow', headers: { connection: 'close' } },
  );
}

function createTooLargeError(maxMegabytes: number): InvalidRequestError {
  return new InvalidRequestError(
    `The body may have at most ${maxMegabytes} MB. ` +
      'Send smaller images, or raise --max-body-megabytes.',
    { status: 413, code: 'body_too_large', headers: { connection: 'close' } },
  );
}

function toBodyError(error: unknown): unknown {
  if (error instanceof ApiError || error instanceof ClientGoneError) return error;
  if (!(error instanceof Error)) return error;
  if ('type' in error && error.type === 'request.aborted') return new ClientGoneError();
  // Removes positions and excerpts, which would refer to the text without its images.
  const message = error.message.replace(
    /( (in|after) JSON at position \d+|, (\.\.\.)?".*" ?(\.\.\.)? is not valid JSON).*$/s,
    '',
  );
  return new InvalidRequestError(`The body is not valid JSON: ${message}.`, {
    cause: error,
  });
}
