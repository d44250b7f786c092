import type { Middleware } from 'koa';
import { InvalidRequestError } from '../openai/api-error.ts';
import type { State } from './deps.ts';

/** A route that clients try and a vision model cannot serve: says so, and what is served. */
export function refuseUnserved(what: string): Middleware<State> {
  return () => {
    throw new InvalidRequestError(
      `This server has no ${what}: it answers questions about images. It serves ` +
        'POST /v1/chat/completions, /v1/responses and /v1/messages, and GET /v1/models.',
      { status: 404, code: 'endpoint_not_served' },
    );
  };
}
