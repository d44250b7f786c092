import type { Middleware } from 'koa';
import bodyParser from 'koa-bodyparser';
import { InvalidRequestError } from '../openai/api-error.ts';
import type { State } from './deps.ts';

/**
 * Parses a JSON body. Another content type is refused: a web page can send text/plain anywhere
 * without asking, but not application/json.
 */
export function parseJsonBody(maxMegabytes: number): Middleware<State> {
  const parse = bodyParser({
    enableTypes: ['json'],
    jsonLimit: `${maxMegabytes * 1_000_000}b`,
    onerror: (error) => {
      throw toBodyError(error, maxMegabytes);
    },
  });
  return async (ctx, next) => {
    if (!/^application\/json\b/i.test(ctx.get('content-type'))) {
      throw new InvalidRequestError(
        `Expected content-type application/json, got ${ctx.get('content-type') || 'none'}.`,
        { status: 415, code: 'unsupported_media_type' },
      );
    }
    await parse(ctx, async () => {});
    // koa-bodyparser keeps the text too: with images in it, that is a copy too many.
    Reflect.deleteProperty(ctx.request, 'rawBody');
    await next();
  };
}

function toBodyError(error: Error & { status?: number }, maxMegabytes: number): Error {
  if (error.status === 413) {
    return new InvalidRequestError(
      `Expected a body of at most ${maxMegabytes} MB. ` +
        'Send smaller images, or raise --max-body-megabytes.',
      { status: 413, code: 'body_too_large', headers: { connection: 'close' } },
    );
  }
  if (error.status === 415) {
    return new InvalidRequestError(
      'Expected content-encoding identity, gzip or deflate, and charset utf-8.',
      { status: 415, cause: error },
    );
  }
  return new InvalidRequestError(`Expected the body to be valid JSON: ${error.message}.`, {
    cause: error,
  });
}
