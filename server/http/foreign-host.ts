import { isIP } from 'node:net';
import type { Middleware } from 'koa';
import { InvalidRequestError } from '../openai/api-error.ts';
import type { State } from './deps.ts';

/** Whether only this machine can reach the address. */
export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || host.startsWith('127.');
}

/**
 * Against DNS rebinding: a web page whose name was turned to 127.0.0.1 reaches us under that name.
 * While we listen on loopback only an address, localhost or the configured host is taken.
 */
export function refuseForeignHosts(listensOn: string): Middleware<State> {
  if (!isLoopback(listensOn)) return (_ctx, next) => next();
  return (ctx, next) => {
    const name = ctx.hostname.replace(/^\[|\]$/g, '').toLowerCase();
    const isOurs = isIP(name) !== 0 || name === 'localhost' || name.endsWith('.localhost');
    if (isOurs || name === listensOn) return next();
    throw new InvalidRequestError(
      `Expected the Host header to name this machine (localhost or an address), got ${name || 'none'}.`,
      { status: 403, code: 'host_not_allowed' },
    );
  };
}
