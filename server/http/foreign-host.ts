import { isIP } from 'node:net';
import { hostname } from 'node:os';
import type { Middleware } from 'koa';
import { InvalidRequestError } from '../openai/api-error.ts';
import type { Settings } from '../settings.ts';
import type { State } from './deps.ts';

/** Domains that nobody can register, so no web page can be served from them. */
const LOCAL_DOMAINS = ['.localhost', '.local', '.internal', '.home.arpa'];

/** Whether only this machine can reach the address. */
export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || host.startsWith('127.');
}

/**
 * Prevents DNS rebinding, where an attacker's domain resolves to this machine so that its pages can
 * reach the server. Without an API key, only names that no web page can have and those in
 * `allowedHosts` are served. With a key there is no such risk: the page does not have the key.
 */
export function refuseForeignHosts(
  { apiKey, host, allowedHosts }: Pick<Settings, 'apiKey' | 'host' | 'allowedHosts'>,
  warn: (message: string) => void,
): Middleware<State> {
  if (apiKey !== undefined) return (_ctx, next) => next();
  if (allowedHosts.includes('*')) {
    warn(
      'Any host name is allowed and no API key is set, so web pages can reach the model (DNS ' +
        'rebinding). Set a key, or list the host names with --allowed-hosts.',
    );
    return (_ctx, next) => next();
  }
  const ownNames = new Set([host, hostname()].map(normalize));
  const allowed = allowedHosts.map(normalize);
  return (ctx, next) => {
    const given = ctx.get('host');
    const name = normalize(/^(\[[\da-f:.%]+\]|[\w.-]+)(:\d*)?$/i.exec(given)?.[1] ?? '?');
    const isOurs =
      given === '' || isLocalName(name) || ownNames.has(name) || allowed.some(matches(name));
    if (isOurs) return next();
    throw new InvalidRequestError(
      `The host name ${JSON.stringify(given.slice(0, 100))} is not allowed without an API key. Use ` +
        'an address or localhost, or allow the name with --allowed-hosts (in the app: Allowed host ' +
        'names).',
      { status: 403, code: 'host_not_allowed' },
    );
  };
}

function isLocalName(name: string): boolean {
  if (isIP(name) !== 0) return true;
  if (name === '?') return false; // no host name at all
  return !name.includes('.') || LOCAL_DOMAINS.some((domain) => name.endsWith(domain));
}

/** `*.example.com` stands for every name in that domain, not for the domain itself. */
function matches(name: string): (pattern: string) => boolean {
  return (pattern) =>
    pattern.startsWith('*.') ? name.endsWith(pattern.slice(1)) : name === pattern;
}

function normalize(name: string): string {
  return name
    .replace(/^\[|\]$/g, '')
    .replace(/\.$/, '')
    .toLowerCase();
}
