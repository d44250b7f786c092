import type { Middleware } from 'koa';
import { InvalidRequestError } from '../openai/api-error.ts';
import type { State } from './deps.ts';

/** OpenAI's and Anthropic's other endpoints, by the start of their path, with what they are for. */
const UNSERVED: readonly (readonly [RegExp, string])[] = [
  [/^completions$/, 'text completions'],
  [/^embeddings$/, 'embeddings'],
  [/^moderations$/, 'moderation'],
  [/^images(\/|$)/, 'image generation'],
  [/^videos(\/|$)/, 'video generation'],
  [/^audio(\/|$)/, 'audio'],
  [/^realtime(\/|$)/, 'realtime sessions'],
  [/^responses\/compact$/, 'compaction of conversations'],
  [/^responses\/[^/]+\/cancel$/, 'background responses'],
  [/^chat\/completions\/[^/]+(\/messages)?$/, 'stored chat completions'],
  [/^conversations(\/|$)/, 'stored conversations'],
  [/^(files|uploads|vector_stores)(\/|$)/, 'file storage'],
  [/^(batches|messages\/batches)(\/|$)/, 'batches'],
  [/^(assistants|threads|chatkit)(\/|$)/, 'assistants'],
  [/^(fine_tuning|evals|graders)(\/|$)/, 'fine-tuning or evaluation'],
  [/^(containers|skills|agents|organization)(\/|$)/, 'hosted tools or administration'],
  [/^complete$/, 'text completions'],
  [/^rerank$|^score$/, 'ranking'],
];

/** Refuses endpoints that clients try but this server does not have, and names those it has. */
export function refuseUnserved(): Middleware<State> {
  return (ctx, next) => {
    const path = ctx.path.replace(/^\/((v1|api\/v0)\/)?/, '').replace(/\/$/, '');
    const what = UNSERVED.find(([pattern]) => pattern.test(path))?.[1];
    // `responses/compact` may also be the id of a response.
    if (what === undefined || (path === 'responses/compact' && ctx.method !== 'POST')) {
      return next();
    }
    throw new InvalidRequestError(
      `This server does not offer ${what}. It answers questions about images: ` +
        'POST /v1/chat/completions, /v1/responses and /v1/messages, and GET /v1/models.',
      { status: 404, code: 'endpoint_not_served' },
    );
  };
}
