import type { Middleware } from 'koa';
import type { Dialect } from '../apis/dialect.ts';
import { adaptToTemplate } from '../apis/read-parameters.ts';
import { imagesOf } from '../generation/conversation.ts';
import {
  refuseTooManyImages,
  refuseTooManyPixels,
  toRuntimeRequest,
} from '../generation/request.ts';
import type { Deps, State } from './deps.ts';
import { abortOnDisconnect } from './errors.ts';
import { loadRequestImages, readExchange, toRequestError } from './generate.ts';

interface CountOptions {
  /** Fields that requests require but token counts do not have. */
  defaults: object;
  toBody: (tokens: number) => object;
}

/**
 * Counts the tokens of a request's prompt, including images, as its usage would report them. Not
 * queued: only the limits on memory and on image loading apply.
 */
export function createTokenCount(
  deps: Deps,
  dialect: Dialect,
  { defaults, toBody }: CountOptions,
): Middleware<State> {
  return async (ctx) => {
    const body = { ...defaults, ...(ctx.request.body as object) };
    const { request, ignored } = readExchange(deps, ctx, dialect, body);
    refuseTooManyImages(request, null);
    refuseTooManyPixels(request.parameters, deps.settings.maxImagePixels);
    const controller = new AbortController();
    abortOnDisconnect(ctx.res, controller);
    const client = ctx.req.socket.remoteAddress ?? '';
    const { signal } = controller;
    try {
      const hasImages = imagesOf(request.messages).length > 0;
      const images = hasImages
        ? await loadRequestImages(deps, ctx, request, { client, signal })
        : [];
      const urls = images.map(({ dataUrl }) => dataUrl);
      const tokens = await deps.runtime.run(
        (connection, signal) => {
          const adapted = adaptToTemplate(request, connection.model, ignored);
          const body = toRuntimeRequest(adapted, urls, connection.model, 0);
          return connection.countTokens(body, { id: `${ctx.state.requestId}/tokens`, signal });
        },
        {
          signal: controller.signal,
          mayRetry: () => true,
          maxWaitMs: deps.settings.queueTimeoutSeconds * 1000,
        },
      );
      ctx.body = toBody(tokens);
    } catch (error) {
      throw toRequestError(error, request);
    } finally {
      controller.abort();
    }
  };
}
