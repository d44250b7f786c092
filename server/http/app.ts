import Router from '@koa/router';
import Koa from 'koa';
import { chatDialect } from '../apis/chat/dialect.ts';
import { messagesDialect } from '../apis/messages/dialect.ts';
import { createResponsesDialect } from '../apis/responses/dialect.ts';
import type { Deps, State } from './deps.ts';
import { handleErrors } from './errors.ts';
import { createGenerationRoute } from './generate.ts';
import {
  allowOrigins,
  assignRequestId,
  handleOptions,
  normalizePath,
  refuseCrossSiteWrites,
  refuseForeignHosts,
  refuseUnknownRoutes,
  refuseUnsupportedEndpoints,
  requireApiKey,
} from './guards.ts';
import { parseJsonBody } from './json-body.ts';
import { createProps, registerLmStudioModels } from './model-discovery.ts';
import { createModelList, createModelLookup } from './models.ts';
import { createHealth, createLiveness, createMetricsRoute, createQueueStats } from './status.ts';
import { registerStoredResponses } from './stored-responses.ts';
import { createTokenCount } from './token-count.ts';

/** The HTTP API. Every path exists with and without `/v1`. */
export function createApp(deps: Deps): Koa<State> {
  const { settings, log } = deps;
  const open = createOpenRoutes(deps);
  const routes = createRoutes(deps);
  const app = new Koa<State>();
  app.use(assignRequestId());
  app.use(allowOrigins(settings.corsOrigins));
  app.use(handleErrors(deps));
  app.use(normalizePath());
  app.use(refuseForeignHosts(settings, (message) => log.warn(message)));
  app.use(refuseCrossSiteWrites(settings.corsOrigins));
  app.use(handleOptions([open, routes]));
  app.use(open.routes());
  app.use(requireApiKey(settings.apiKey));
  app.use(refuseUnsupportedEndpoints());
  app.use(routes.routes());
  app.use(refuseUnknownRoutes([open, routes]));
  // Mostly broken connections: `handleErrors` has already handled what the routes throw.
  app.on('error', (error: Error) => log.debug({ err: error }, 'connection error'));
  return app;
}

/** The routes that need no API key. */
function createOpenRoutes(deps: Deps): Router<State> {
  const router = new Router<State>();
  const health = createHealth(deps);
  for (const prefix of ['', '/v1']) {
    for (const name of ['health', 'healthz', 'readyz']) router.get(`${prefix}/${name}`, health);
    router.get(`${prefix}/livez`, createLiveness());
  }
  return router;
}

function createRoutes(deps: Deps): Router<State> {
  const router = new Router<State>();
  const parse = parseJsonBody(deps.settings.maxBodyMegabytes, deps.memory);
  const chat = createGenerationRoute(deps, chatDialect);
  const responsesDialect = createResponsesDialect(deps.responses);
  const posts = {
    '/chat/completions': chat,
    '/responses': createGenerationRoute(deps, responsesDialect),
    '/responses/input_tokens': createTokenCount(deps, responsesDialect, {
      defaults: { store: false },
      toBody: (input_tokens) => ({ object: 'response.input_tokens', input_tokens }),
    }),
    '/messages': createGenerationRoute(deps, messagesDialect),
    '/messages/count_tokens': createTokenCount(deps, messagesDialect, {
      defaults: { max_tokens: 1 },
      toBody: (input_tokens) => ({ input_tokens }),
    }),
  };
  for (const prefix of ['', '/v1']) {
    for (const [path, route] of Object.entries(posts)) router.post(prefix + path, parse, route);
    router.get(`${prefix}/models`, createModelList(deps));
    router.get(`${prefix}/models/:id{/:name}`, createModelLookup(deps));
    router.get(`${prefix}/props`, createProps(deps));
    router.get(`${prefix}/queue/stats`, createQueueStats(deps));
    router.get(`${prefix}/metrics`, createMetricsRoute(deps));
    registerStoredResponses(router, `${prefix}/responses`, deps.responses);
  }
  registerLmStudioModels(router, deps);
  // LM Studio's clients also chat under the path where they found the model.
  router.post('/api/v0/chat/completions', parse, chat);
  return router;
}
