import Router from '@koa/router';
import Koa from 'koa';
import { messagesDialect } from '../anthropic/messages-dialect.ts';
import { chatDialect } from '../openai/chat-dialect.ts';
import { createResponsesDialect } from '../openai/responses-dialect.ts';
import { allowOrigins } from './cors.ts';
import { refuseCrossSiteWrites } from './cross-site.ts';
import type { Deps, State } from './deps.ts';
import { answerErrors } from './error-response.ts';
import { refuseForeignHosts } from './foreign-host.ts';
import { createGenerationRoute } from './generation-route.ts';
import { createHealth, createLiveness } from './health.ts';
import { parseJsonBody } from './json-body.ts';
import { createMetricsRoute } from './metrics-route.ts';
import { createProps, registerLmStudioModels } from './model-discovery.ts';
import { createModelList, createModelLookup } from './models.ts';
import { createQueueStats } from './queue-stats.ts';
import { assignRequestId } from './request-id.ts';
import { requireApiKey } from './require-api-key.ts';
import { registerStoredResponses } from './responses.ts';
import { createTokenCount } from './token-count.ts';
import { answerOptions, refuseUnknownRoutes } from './unknown-route.ts';
import { refuseUnserved } from './unserved.ts';
import { tidyPaths } from './url-path.ts';

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
