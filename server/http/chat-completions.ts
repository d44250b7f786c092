import type { Middleware } from 'koa';
import { AtCapacityError, InvalidRequestError } from '../openai/api-error.ts';
import { type AnswerHead, ChatCompletion } from '../openai/chat-completion.ts';
import { ChatCompletionStream } from '../openai/chat-completion-stream.ts';
import { ChatCompletionRequest } from '../openai/chat-request.ts';
import { imagesOf } from '../openai/conversation.ts';
import { toInvalidRequest } from '../openai/invalid-request.ts';
import { refuseDeepNesting } from '../openai/nesting.ts';
import { stopsOf } from '../openai/runtime-request.ts';
import type { RuntimeConnection } from '../runtime/runtime-connection.ts';
import { withRuntime } from '../runtime/with-runtime.ts';
import { type ChatJob, describeScaling, generate, loadImages, type Sink } from './chat-job.ts';
import type { Deps, HttpContext, State } from './deps.ts';
import { EventStream } from './event-stream.ts';
import { modelIdOf } from './model-id.ts';
import { retryAfterSeconds, toApiError } from './to-api-error.ts';
import { track } from './track.ts';

/** `POST /v1/chat/completions`: admitted, its images fetched, queued, answered. */
export function createChatCompletions(deps: Deps): Middleware<State> {
  return async (ctx) => {
    const request = parse(ctx.request.body);
    const kind = imagesOf(request.messages).length > 0 ? 'vision' : 'text';
    if (kind === 'text') refuseTextOnly(deps);
    if (request.stream) refuseTooManyStreams(deps);
    await track(deps, ctx, { kind, stream: request.stream === true }, async (record, signal) => {
      const job = { request, record, images: loadImages(deps, request, signal) };
      if (request.stream) await answerStream(deps, ctx, job, signal);
      else ctx.body = await answerWhole(deps, ctx, job, signal);
    });
  };
}

/** Queued; the slot is held until the runtime has really ended. */
async function answerWhole(deps: Deps, ctx: HttpContext, job: ChatJob, signal: AbortSignal) {
  const { request, record, images } = job;
  const attempt = async (connection: RuntimeConnection, jobSignal: AbortSignal) => {
    const completion = new ChatCompletion(headOf(deps, job, connection), stopsOf(request));
    await generate(connection, job, completion, jobSignal);
    return completion.toBody();
  };
  const body = await deps.queue.submit(
    (jobSignal) => {
      record.startedAt = Date.now();
      return withRuntime(deps.runtime, (connection) => attempt(connection, jobSignal), {
        signal: jobSignal,
        mayRetry: () => true,
      });
    },
    { id: record.id, client: record.client, signal, ready: images },
  );
  announceScaling(ctx, job, await images);
  return body;
}

/** Not queued (the seed). An error after the first event is an event, then the end. */
async function answerStream(deps: Deps, ctx: HttpContext, job: ChatJob, signal: AbortSignal) {
  const { request, record } = job;
  const events = new EventStream(ctx.res, signal);
  const attempt = async (connection: RuntimeConnection) => {
    const includeUsage = request.stream_options?.include_usage === true;
    const head = headOf(deps, job, connection);
    const completion = new ChatCompletionStream(head, stopsOf(request), includeUsage);
    const sink: Sink = {
      answer: completion.answer,
      add: async (chunks) => {
        const text = completion.add(chunks);
        if (text !== '') await events.write(text);
      },
    };
    announceScaling(ctx, job, await job.images);
    await generate(connection, job, sink, signal);
    events.end(completion.end());
  };
  record.startedAt = Date.now();
  try {
    await withRuntime(deps.runtime, attempt, { signal, mayRetry: () => !events.started });
  } catch (error) {
    if (events.started) events.fail(toApiError(error, deps.queue));
    throw error;
  } finally {
    ctx.respond = !events.started;
  }
}

function parse(body: unknown): ChatCompletionRequest {
  refuseDeepNesting(body);
  const parsed = ChatCompletionRequest.safeParse(body);
  if (!parsed.success) throw toInvalidRequest(parsed.error, body);
  return parsed.data;
}

function refuseTextOnly({ settings }: Deps): void {
  if (settings.allowTextOnly) return;
  throw new InvalidRequestError(
    'Expected an image: this server answers questions about images. Add an image_url part to a ' +
      'user message, or start it with --allow-text-only.',
    { code: 'text_only_unsupported', param: 'messages' },
  );
}

function refuseTooManyStreams({ activity, settings, queue }: Deps): void {
  if (activity.streams < (settings.maxStreams ?? Number.POSITIVE_INFINITY)) return;
  throw new AtCapacityError('too_many_streams', retryAfterSeconds(queue));
}

function headOf({ settings }: Deps, { request, record }: ChatJob, { model }: RuntimeConnection) {
  return {
    id: `chatcmpl-${record.id}`,
    created: Math.floor(Date.now() / 1000),
    model: request.model ?? modelIdOf(settings.modelPath),
    systemFingerprint: `mlx_vlm-${model.versions['mlx_vlm']}`,
  } satisfies AnswerHead;
}

function announceScaling(
  ctx: HttpContext,
  { request }: ChatJob,
  images: Awaited<ChatJob['images']>,
) {
  const scaling = describeScaling(request, images);
  if (scaling !== '') ctx.set('x-sightglass-scaled-images', scaling);
}
