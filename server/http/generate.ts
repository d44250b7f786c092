import type { Middleware } from 'koa';
import type { AnswerEvents, AnswerHead, Dialect, Exchange } from '../apis/dialect.ts';
import { forTemplate } from '../apis/for-template.ts';
import { refuseIgnored } from '../apis/parse-body.ts';
import { AtCapacityError, InvalidRequestError } from '../errors.ts';
import { Answer, CollectedAnswer } from '../generation/answer.ts';
import { imagesOf } from '../generation/conversation.ts';
import { isClientMistake, toGenerationError } from '../generation/errors.ts';
import {
  type GenerationRequest,
  refuseTooManyImages,
  refuseTooManyPixels,
} from '../generation/request.ts';
import type { RuntimeConnection } from '../runtime/connection.ts';
import { GenerationFailedError, RuntimeRefusedError } from '../runtime/errors.ts';
import type { Deps, HttpContext, State } from './deps.ts';
import { retryAfterSeconds, toApiError } from './errors.ts';
import { EventStream } from './event-stream.ts';
import {
  describeImages,
  type GenerationJob,
  generate,
  loadImages,
  type Sink,
} from './generation-job.ts';
import { modelIdOf } from './models.ts';
import { clientOf, track } from './track.ts';

/** A route that has the model answer: admitted, its images fetched, queued, answered. */
export function createGenerationRoute(deps: Deps, dialect: Dialect): Middleware<State> {
  return async (ctx) => {
    const { settings } = deps;
    const read = readExchange(deps, ctx, dialect, ctx.request.body);
    const request = limitAnswer(read.request, settings.maxAnswerTokens);
    const exchange = { ...read, request };
    const { ignored } = exchange;
    const { messages, params, stream } = request;
    refuseTooManyImages(exchange.request, contextLengthOf(deps));
    refuseTooManyPixels(exchange.request.parameters, settings.maxImagePixels);
    const kind = imagesOf(messages).length > 0 ? 'vision' : 'text';
    if (kind === 'text') refuseTextOnly(deps, ctx, params.messages);
    if (stream) refuseTooManyStreams(deps);
    await track(deps, ctx, { kind, stream }, async (record, signal) => {
      if (ignored.count > 0) {
        record.ignored = ignored.paths;
        const { paths, count } = ignored;
        deps.log.debug({ id: record.id, ignored: paths, count }, 'ignored fields');
      }
      const loading = { signal, client: record.client, memory: ctx.state.memory };
      let images: GenerationJob['images'] | undefined;
      const job: GenerationJob = {
        ...exchange,
        record,
        /** Loading starts on first access, once the request has been admitted. */
        get images() {
          images ??= loadImages(deps, exchange.request, loading);
          return images;
        },
      };
      try {
        if (stream) await answerStream(deps, ctx, job, signal);
        else ctx.body = await answerWhole(deps, ctx, job, signal);
      } catch (error) {
        throw nameFields(error, exchange.request);
      }
    });
  };
}

/**
 * Reads a body and reports the fields that are ignored, in a header.
 * @throws InvalidRequestError, also for an ignored field if parameters are strict
 */
export function readExchange(
  deps: Deps,
  ctx: HttpContext,
  dialect: Dialect,
  body: unknown,
): Exchange {
  const { request, ignored, ...rest } = dialect.read(body);
  const { state } = deps.runtime;
  const isReady = state.phase === 'ready';
  const asked = isReady ? forTemplate(request, state.model, ignored) : request;
  const exchange = { ...rest, ignored, request: asked };
  if (deps.settings.strictParameters) refuseIgnored(ignored);
  if (ignored.count > 0) ctx.set('x-sightglass-ignored', ignored.toHeader());
  return exchange;
}

/** Queued; the slot is held until the runtime has really ended. */
async function answerWhole(deps: Deps, ctx: HttpContext, job: GenerationJob, signal: AbortSignal) {
  const { request, record } = job;
  const attempt = async (connection: RuntimeConnection, signal: AbortSignal) => {
    const head = headOf(deps, job, connection);
    const answers = newAnswers(job).map((answer) => ({ answer, collected: new CollectedAnswer() }));
    for (const [index, { answer, collected }] of answers.entries()) {
      await generate(
        connection,
        job,
        index,
        { answer, add: (delta) => collected.add(delta) },
        signal,
      );
    }
    return job.toBody(head, answers);
  };
  const body = await deps.queue.submit(
    (jobSignal) => {
      record.startedAt = Date.now();
      return deps.runtime.run(attempt, {
        signal: jobSignal,
        mayRetry: (error) => !isClientMistake(error),
      });
    },
    { id: record.id, client: record.client, signal, ready: () => job.images },
  );
  announceImages(ctx, request, await job.images);
  return body;
}

/** Not queued (the seed). An error after the first event is an event, then the end. */
async function answerStream(deps: Deps, ctx: HttpContext, job: GenerationJob, signal: AbortSignal) {
  const stream = new EventStream(ctx.res, deps.settings.keepAliveSeconds * 1000);
  let events: AnswerEvents | undefined;
  const attempt = async (connection: RuntimeConnection, signal: AbortSignal) => {
    const writer = job.createEvents(headOf(deps, job, connection));
    events = writer;
    const answers = newAnswers(job);
    for (const [index, answer] of answers.entries()) {
      const sink: Sink = {
        answer,
        add: (delta) => stream.add(writer.delta(index, delta, answer)),
        flush: (signal) => stream.flush(signal),
      };
      await stream.flush(signal);
      await generate(connection, job, index, sink, signal);
      stream.add(writer.finish(index, answer));
    }
    stream.end(writer.end(answers));
  };
  void job.images; // starts loading them while the runtime may still be starting
  job.record.startedAt = Date.now();
  try {
    announceImages(ctx, job.request, await job.images);
    await deps.runtime.run(attempt, {
      signal,
      mayRetry: (error) => !stream.hasContent && !isClientMistake(error),
      maxWaitMs: deps.settings.queueTimeoutSeconds * 1000,
    });
  } catch (error) {
    const told = toApiError(nameFields(error, job.request), deps.queue);
    if (stream.started) stream.end((events ?? job.createEvents(headOf(deps, job))).fail(told));
    throw error;
  } finally {
    stream.close();
    ctx.respond = !stream.started;
  }
}

/** An error of the runtime, naming the fields as the client knows them. */
export function nameFields(error: unknown, request: GenerationRequest): unknown {
  const isOfRuntime =
    error instanceof RuntimeRefusedError || error instanceof GenerationFailedError;
  return isOfRuntime ? toGenerationError(error, request) : error;
}

function newAnswers({ request }: GenerationJob): Answer[] {
  return Array.from({ length: request.answers }, () => new Answer(request));
}

/** `--max-answer-tokens` holds for every request, also for those without a limit. */
function limitAnswer(
  request: GenerationRequest,
  maxAnswerTokens: number | undefined,
): GenerationRequest {
  if (maxAnswerTokens === undefined) return request;
  return { ...request, maxTokens: Math.min(request.maxTokens ?? maxAnswerTokens, maxAnswerTokens) };
}

function refuseTextOnly({ settings, activity }: Deps, ctx: HttpContext, param: string): void {
  if (settings.allowTextOnly) return;
  activity.textOnlyRefused(appOf(ctx, settings.apiKey));
  throw new InvalidRequestError(
    'Expected an image: this server answers questions about images. Add one to a user message ' +
      '(an image_url, input_image or image part). To answer text alone too, start the server with ' +
      '--allow-text-only (in the app: Answer without a picture).',
    { code: 'text_only_unsupported', param },
  );
}

/** The client's program, by its User-Agent without the version; else its key or address. */
function appOf(ctx: HttpContext, apiKey: string | undefined): string {
  const [family = ''] = /^[\w.+-]{1,60}(?: [A-Z][\w.+-]{0,40})?/.exec(ctx.get('user-agent')) ?? [];
  return family === '' ? clientOf(ctx, apiKey) : family;
}

/** The loaded model's; null if unknown or no model is loaded. */
function contextLengthOf({ runtime }: Deps): number | null {
  return runtime.state.phase === 'ready' ? runtime.state.model.context_length : null;
}

function refuseTooManyStreams({ activity, settings }: Deps): void {
  if (activity.streams < (settings.maxStreams ?? Number.POSITIVE_INFINITY)) return;
  throw new AtCapacityError('too_many_streams', retryAfterSeconds(activity.nextStreamEndMs()));
}

function headOf(
  { settings }: Deps,
  { request, record }: GenerationJob,
  connection?: RuntimeConnection,
): AnswerHead {
  return {
    requestId: record.id,
    created: Math.floor(Date.now() / 1000),
    model: request.model ?? modelIdOf(settings.modelPath),
    systemFingerprint: `mlx_vlm-${connection?.model.versions['mlx_vlm'] ?? ''}`,
  };
}

function announceImages(
  ctx: HttpContext,
  request: GenerationRequest,
  images: Awaited<GenerationJob['images']>,
) {
  const described = describeImages(request, images);
  if (described !== '') ctx.set('x-sightglass-images', described);
}
