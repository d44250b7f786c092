import { randomUUID } from 'node:crypto';
import type { Middleware } from 'koa';
import type { HttpContext, State } from './deps.ts';

/** What is taken from a client as an id: short, and harmless in a log line or a header. */
const SANE_ID = /^[\w.:-]{1,128}$/;

/** Gives every request an id, the client's `x-request-id` if it is sane; every response carries it. */
export function assignRequestId(): Middleware<State> {
  return (ctx, next) => {
    const given = ctx.get('x-request-id');
    if (SANE_ID.test(given)) assign(ctx, given);
    else assignFreshId(ctx);
    return next();
  };
}

/** For when a request in flight has the client's id already: ids are unique. */
export function assignFreshId(ctx: HttpContext): void {
  assign(ctx, `req-${randomUUID()}`);
}

function assign(ctx: HttpContext, id: string): void {
  ctx.state.requestId = id;
  ctx.set('x-request-id', id);
  ctx.set('request-id', id); // the name that Anthropic's clients read
}
