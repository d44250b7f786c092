import Router from '@koa/router';
import Koa from 'koa';
import { chatDialect } from '../openai/chat-dialect.ts';
import type { Deps, State } from './deps.ts';
import { answerErrors } from './error-response.ts';
import { refuseForeignHosts } from './foreign-host.ts';
import { createGenerationRoute } from './generation-route.ts';
import { createHealth } from './health.ts';
import { parseJsonBody } from './json-body.ts';
import { createModelList, createModelLookup } from './models.ts';
import { createQueueStats } from './queue-stats.ts';
import { assignRequestId } from './request-id.ts';
import { requireApiKey } from './require-api-key.ts';
import { refuseUnknownRoutes } from './unknown-route.ts';

/** The HTTP surface: what is served where. Every path is there with and without `/v1`. */
export function createApp(deps: Deps): Koa<State> {
  const router = new Router<State>();
  const health = createHealth(deps);
  const open = new Router<State>().get('/health', health).get('/v1/health', health);
  for (const prefix of ['', '/v1']) {
    router.get(`${prefix}/models`, createModelList(deps));
    router.get(`${prefix}/models/:id{/:name}`, createModelLookup(deps));
    router.get(`${prefix}/queue/stats`, createQueueStats(deps));
    router.post(
      `${prefix}/chat/completions`,
      parseJsonBody(deps.settings.maxBodyMegabytes),
      createGenerationRoute(deps, chatDialect),
    );
  }
  const app = new Koa<State>();
  // Connections that break, mostly: what a handler throws is answered by `answerErrors`.
  app.on('error', (error: Error) => deps.log.debug({ err: error }, 'connection error'));
  app.use(assignRequestId());
  app.use(answerErrors(deps));
  app.use(refuseForeignHosts(deps.settings.host));
  app.use(open.routes());
  app.use(requireApiKey(deps.settings.apiKey));
  app.use(router.routes());
  app.use(refuseUnknownRoutes([open, router]));
  return app;
}
