import type Router from '@koa/router';
import type { ConversationItem } from '../apis/responses/request.ts';
import type { ResponseStore } from '../apis/responses/store.ts';
import { toJsonBody } from '../long-text.ts';
import type { HttpContext, State } from './deps.ts';

/** Routes to get a stored response or its input items, and to delete it. */
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
    const data = store.get(id).input.map((item, index) => toInputItem(item, `item_${index}_${id}`));
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

/** An item in the form that OpenAI's API returns: with id and status, and content as typed parts. */
function toInputItem(item: ConversationItem, id: string) {
  const status = 'completed';
  switch (item.type) {
    case 'message': {
      const { role, content } = item;
      const text = role === 'assistant' ? 'output_text' : 'input_text';
      const parts = typeof content === 'string' ? [{ type: text, text: content }] : content;
      return { id, type: item.type, status, role, content: parts.map(toInputPart) };
    }
    case 'reasoning':
      return { id, summary: [], status, ...withoutNulls(item) };
    case 'function_call_output':
    case 'custom_tool_call_output': {
      const { output } = item;
      const parts = typeof output === 'string' ? output : output.map(toInputPart);
      return { id, status, ...withoutNulls(item), output: parts };
    }
    case 'additional_tools':
      return {
        id,
        status,
        ...withoutNulls(item),
        tools: item.tools.filter((tool) => tool !== undefined),
      };
    default:
      return { id, status, ...withoutNulls(item) };
  }
}

function toInputPart(part: { type: string }) {
  if (part.type === 'output_text') return { annotations: [], logprobs: [], ...withoutNulls(part) };
  return part.type === 'input_image' ? { detail: 'auto', ...withoutNulls(part) } : part;
}

/** The fields that have a value. Null marks one that was not kept (see `repeated`). */
function withoutNulls<Item extends object>(item: Item): Partial<Item> {
  return Object.fromEntries(
    Object.entries(item).filter(([, value]) => value !== null),
  ) as Partial<Item>;
}
