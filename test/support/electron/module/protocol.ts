import type { CustomScheme } from 'electron';
import { readiness } from '../readiness.ts';
import { refuseUnknown } from '../strict.ts';

type Handler = (request: Request) => Response | Promise<Response>;

const schemes = new Map<string, CustomScheme>();
const handlers = new Map<string, Handler>();
let wereRegistered = false;

export const protocol = refuseUnknown('protocol', {
  registerSchemesAsPrivileged(custom: CustomScheme[]): void {
    if (readiness.isReady) {
      throw new Error('protocol.registerSchemesAsPrivileged should be called before app is ready');
    }
    if (wereRegistered) throw new Error('registerSchemesAsPrivileged can be called only once');
    wereRegistered = true;
    for (const scheme of custom) {
      const { standard, secure } = scheme.privileges ?? {};
      if (!standard || !secure) {
        throw new TypeError(
          `the stand-in has no schemes but standard and secure ones, and ${scheme.scheme} is not`,
        );
      }
      schemes.set(scheme.scheme, scheme);
    }
  },
  handle(scheme: string, handler: Handler): void {
    readiness.require('protocol');
    if (handlers.has(scheme)) throw new Error(`The scheme ${scheme} has been intercepted`);
    if (!schemes.has(scheme)) {
      throw new TypeError(`the stand-in has no scheme ${scheme} that was not registered before`);
    }
    handlers.set(scheme, handler);
  },
  unhandle: (scheme: string) => {
    if (!handlers.delete(scheme)) throw new Error(`The scheme ${scheme} is not handled`);
  },
  isProtocolHandled: (scheme: string) => handlers.has(scheme),
});

/** Answers a window's request; undefined when the scheme has no handler or no privilege for it. */
export async function answerRequest(
  request: Request,
  { isFetch }: { isFetch: boolean },
): Promise<Response | undefined> {
  const scheme = new URL(request.url).protocol.slice(0, -1);
  if (isFetch && !schemes.get(scheme)?.privileges?.supportFetchAPI) return undefined;
  return await handlers.get(scheme)?.(request);
}
