import Router from '@koa/router';
import Koa from 'koa';
import { chatDialect } from '../apis/chat/dialect.ts';
import { messagesDialect } from '../apis/messages/dialect.ts';
import { createResponsesDialect } from '../apis/responses/dialect.ts';
import type { Deps, State } from './deps.ts';
import { answerErrors } from './errors.ts';
import { createGenerationRoute } from './generate.ts';
import {
  allowOrigins,
  assignRequestId,
  refuseCrossSiteWrites,
  refuseForeignHosts,
  requireApiKey,
} from './guards.ts';
import { parseJsonBody } from './json-body.ts';
import { createProps, registerLmStudioModels } from './model-discovery.ts';
import { createModelList, createModelLookup } from './models.ts';
import { createHealth, createLiveness, createMetricsRoute, createQueueStats } from './status.ts';
import { registerStoredResponses } from './stored-responses.ts';
import { createTokenCount } from './token-count.ts';
import { answerOptions, refuseUnknownRoutes, refuseUnserved, tidyPaths } from './unknown-routes.ts';

/** The HTTP surface: what is served where. Every path is there with and without `/v1`. */
export function createApp(deps: Deps): Koa<State> {
  const router = new Router<State>();
  const parse = parseJsonBody(deps.settings.maxBodyMegabytes, deps.memory);
  const dialects = {
    '/chat/completions': chatDialect,
    '/responses': createResponsesDialect(deps.responses),
    '/messages': messagesDialect,
  };
  const health = createHealth(deps);
  const open = new Router<State>();
  for (const prefix of ['', '/v1']) {
    for (const name of ['health', 'healthz', 'readyz']) open.get(`${prefix}/${name}`, health);
    open.get(`${prefix}/livez`, createLiveness());
    router.get(`${prefix}/models`, createModelList(deps));
    router.get(`${prefix}/models/:id{/:name}`, createModelLookup(deps));
    router.get(`${prefix}/props`, createProps(deps));
    router.get(`${prefix}/queue/stats`, createQueueStats(deps));
    router.get(`${prefix}/metrics`, createMetricsRoute(deps));
    for (const [path, dialect] of Object.entries(dialects)) {
      router.post(prefix + path, parse, createGenerationRoute(deps, dialect));
    }
    const count = {
      '/messages/count_tokens': createTokenCount(deps, dialects['/messages'], {
        defaults: { max_tokens: 1 },
        toBody: (input_tokens) => ({ input_tokens }),
      }),
      '/responses/input_tokens': createTokenCount(deps, dialects['/responses'], {
        defaults: { store: false },
        toBody: (input_tokens) => ({ object: 'response.input_tokens', input_tokens }),
      }),
    };
    for (const [path, route] of Object.entries(count)) router.post(prefix + path, parse, route);
    registerStoredResponses(router, `${prefix}/responses`, deps.responses);
  }
  registerLmStudioModels(router, deps);
  // LM Studio's clients ask where they have found the model.
  router.post('/api/v0/chat/completions', parse, createGenerationRoute(deps, chatDialect));
  const app = new Koa<State>();
  // Connections that break, mostly: what a handler throws is answered by `answerErrors`.
  app.on('error', (error: Error) => deps.log.debug({ err: error }, 'connection error'));
  app.use(assignRequestId());
  app.use(allowOrigins(deps.settings.corsOrigins));
  app.use(answerErrors(deps));
  app.use(tidyPaths());
  app.use(refuseForeignHosts(deps.settings, (message) => deps.log.warn(message)));
  app.use(refuseCrossSiteWrites(deps.settings.corsOrigins));
  app.use(answerOptions([open, router]));
  app.use(open.routes());
  app.use(requireApiKey(deps.settings.apiKey));
  app.use(refuseUnserved());
  app.use(router.routes());
  app.use(refuseUnknownRoutes([open, router]));
  return app;
}
