import type Router from '@koa/router';
import { toJsonBody } from '../json-stream.ts';
import type { ResponseStore } from '../openai/response-store.ts';
import type { HttpContext, State } from './deps.ts';

/** What is to be had of a response that was answered: itself, its input, and its removal. */
export function registerStoredResponses(
  router: Router<State>,
  path: string,
  store: ResponseStore,
): void {
  router.get(`${path}/:id`, (ctx) => {
    ctx.body = store.get(idOf(ctx)).body;
  });
  router.get(`${path}/:id/input_items`, (ctx) => {
    const id = idOf(ctx);
    const data = store.get(id).input.map((item, index) => ({ id: `item_${index}_${id}`, ...item }));
    const ids = { first_id: data.at(0)?.id ?? null, last_id: data.at(-1)?.id ?? null };
    const body = toJsonBody({ object: 'list', data, ...ids, has_more: false });
    ctx.type = 'json';
    ctx.body = body.stream();
    ctx.length = body.bytes;
  });
  router.delete(`${path}/:id`, (ctx) => {
    const id = idOf(ctx);
    store.delete(id);
    ctx.body = { id, object: 'response', deleted: true };
  });
}

function idOf(ctx: HttpContext): string {
  return (ctx['params'] as { id: string }).id;
}
