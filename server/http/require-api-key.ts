import { createHash, timingSafeEqual } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import type { Middleware } from 'koa';
import { InvalidApiKeyError } from '../openai/api-error.ts';
import type { State } from './deps.ts';

/**
 * The keys in a request: those of OpenAI's clients (Bearer), Anthropic's (x-api-key) and Azure's
 * (api-key). Some clients send a placeholder in one header and the key in another.
 */
export function apiKeysOf(headers: IncomingHttpHeaders): string[] {
  const bearer = /^Bearer\s+(\S+)\s*$/i.exec(headers.authorization ?? '')?.[1];
  return [bearer, headers['x-api-key'], headers['api-key']]
    .map((key) => String(key ?? '').trim())
    .filter((key) => key !== '');
}

/** Refuses requests without the API key, if one is set. Compares in constant time. */
export function requireApiKey(apiKey: string | undefined): Middleware<State> {
  if (apiKey === undefined) return (_ctx, next) => next();
  const expected = digest(apiKey);
  return (ctx, next) => {
    const given = apiKeysOf(ctx.headers);
    if (given.some((key) => timingSafeEqual(digest(key), expected))) return next();
    throw new InvalidApiKeyError(
      given.length === 0
        ? 'You didn’t provide an API key. Send it as "Authorization: Bearer KEY", "x-api-key: KEY" ' +
            'or "api-key: KEY".'
        : 'Incorrect API key provided. Send the one that Sightglass was started with.',
    );
  };
}

function digest(key: string): Buffer {
  return createHash('sha256').update(key).digest();
}
