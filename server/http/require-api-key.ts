import { createHash, timingSafeEqual } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import type { Middleware } from 'koa';
import { InvalidApiKeyError } from '../openai/api-error.ts';
import type { State } from './deps.ts';

/** The key a client sent, as OpenAI's clients (Bearer) or Anthropic's (x-api-key) do. */
export function apiKeyOf(headers: IncomingHttpHeaders): string {
  const bearer = /^Bearer\s+(\S+)\s*$/i.exec(headers.authorization ?? '')?.[1];
  return bearer ?? String(headers['x-api-key'] ?? '');
}

/** Refuses who does not have the key, if one is set. Compared in constant time. */
export function requireApiKey(apiKey: string | undefined): Middleware<State> {
  if (apiKey === undefined) return (_ctx, next) => next();
  const expected = digest(apiKey);
  return (ctx, next) => {
    const given = apiKeyOf(ctx.headers);
    if (timingSafeEqual(digest(given), expected)) return next();
    throw new InvalidApiKeyError(
      given === ''
        ? 'You didn’t provide an API key. Send it as "Authorization: Bearer KEY" or "x-api-key: KEY".'
        : 'Incorrect API key provided. Send the one that Sightglass was started with.',
    );
  };
}

function digest(key: string): Buffer {
  return createHash('sha256').update(key).digest();
}
