import { createHash } from 'node:crypto';
import type { Middleware } from 'koa';
import type { Outcome, RequestRecord } from '../activity.ts';
import type { AnswerEvents, AnswerHead, Dialect, Exchange } from '../apis/dialect.ts';
import { refuseIgnored } from '../apis/parse-body.ts';
import { adaptToTemplate } from '../apis/read-parameters.ts';
import { AtCapacityError, InvalidRequestError } from '../errors.ts';
import { Answer, type AnswerDelta, CollectedAnswer } from '../generation/answer.ts';
import { describeImages, imagesOf, loadImages } from '../generation/conversation.ts';
import { isClientMistake, toGenerationError } from '../generation/errors.ts';
import {
  type GenerationRequest,
  refuseTooManyImages,
  refuseTooManyPixels,
  toRuntimeRequest,
} from '../generation/request.ts';
import type { LoadedImage } from '../images/loader.ts';
import type { RuntimeConnection } from '../runtime/connection.ts';
import { GenerationFailedError, RuntimeRefusedError } from '../runtime/errors.ts';
import type { Deps, HttpContext, State } from './deps.ts';
import { abortOnDisconnect, ClientGoneError, retryAfterSeconds, toApiError } from './errors.ts';
import { EventStream } from './event-stream.ts';
import { apiKeysOf, assignFreshId } from './guards.ts';
import { modelIdOf } from './models.ts';

/** An admitted request: how to answer it, its images, and its record in the log and the panel. */
interface GenerationJob extends Exchange {
  record: RequestRecord;
  /** Loading starts on first access, so a request that is never admitted loads nothing. */
  readonly images: Promise<readonly LoadedImage[]>;
}

/** Receives the parts of one answer as the model generates them. */
interface Sink {
  readonly answer: Answer;
  add(delta: AnswerDelta): void;
  /** Called after each batch of chunks. Waits for a slow client, or until the signal aborts. */
  flush?(signal: AbortSignal): Promise<void> | undefined;
}

/** The route that generates an answer: checks the request, loads its images, queues it, responds. */
export function createGenerationRoute(deps: Deps, dialect: Dialect): Middleware<State> {
  return async (ctx) => {
    const exchange = readExchange(deps, ctx, dialect, ctx.request.body);
    const request = limitTokens(exchange.request, deps.settings.maxAnswerTokens);
    const { ignored } = exchange;
    const { messages, stream } = request;
    const kind = imagesOf(messages).length > 0 ? 'vision' : 'text';
    refuseOverLimits(deps, request);
    if (kind === 'text') refuseTextOnly(deps, ctx, request.params.messages);
    if (stream) refuseTooManyStreams(deps);
    await track(deps, ctx, { kind, stream }, async (record, signal) => {
      if (ignored.count > 0) {
        record.ignored = ignored.paths;
        const { paths, count } = ignored;
        deps.log.debug({ id: record.id, ignored: paths, count }, 'ignored fields');
      }
      let images: GenerationJob['images'] | undefined;
      const job: GenerationJob = {
        ...exchange,
        request,
        record,
        get images() {
          images ??= loadRequestImages(deps, ctx, request, { client: record.client, signal });
          return images;
        },
      };
      try {
        if (stream) await respondWithStream(deps, ctx, job, signal);
        else ctx.body = await respondWithBody(deps, ctx, job, signal);
      } catch (error) {
        throw toRequestError(error, request);
      }
    });
  };
}

/**
 * Parses a body and names its ignored fields in a response header.
 * @throws InvalidRequestError, also for an ignored field when `strictParameters` is set
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
  const adapted = isReady ? adaptToTemplate(request, state.model, ignored) : request;
  if (deps.settings.strictParameters) refuseIgnored(ignored);
  if (ignored.count > 0) ctx.set('x-sightglass-ignored', ignored.toHeader());
  return { ...rest, ignored, request: adapted };
}

/** Loads a request's images within its share of the memory. */
export function loadRequestImages(
  { images, settings }: Deps,
  ctx: HttpContext,
  request: GenerationRequest,
  { client, signal }: { client: string; signal: AbortSignal },
): Promise<readonly LoadedImage[]> {
  const { memory } = ctx.state;
  const maxMegabytes = settings.maxBodyMegabytes;
  return loadImages(images, request, { signal, client, memory, maxMegabytes });
}

/** Runs the request in the queue. Its slot is held until the runtime has stopped working on it. */
async function respondWithBody(
  deps: Deps,
  ctx: HttpContext,
  job: GenerationJob,
  signal: AbortSignal,
) {
  const { record } = job;
  const attempt = async (connection: RuntimeConnection, signal: AbortSignal) => {
    const head = createHead(deps, job, connection);
    const answers = createAnswers(job).map((answer) => ({
      answer,
      collected: new CollectedAnswer(),
    }));
    for (const [index, { answer, collected }] of answers.entries()) {
      const sink: Sink = { answer, add: (delta) => collected.add(delta) };
      await generate(connection, job, index, sink, signal);
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
  setImagesHeader(ctx, job.request, await job.images);
  return body;
}

/** Streams are not queued. After the first event, an error is sent as the last event. */
async function respondWithStream(
  deps: Deps,
  ctx: HttpContext,
  job: GenerationJob,
  signal: AbortSignal,
) {
  const stream = new EventStream(ctx.res, deps.settings.keepAliveSeconds * 1000);
  let events: AnswerEvents | undefined;
  const attempt = async (connection: RuntimeConnection, signal: AbortSignal) => {
    const writer = job.createEvents(createHead(deps, job, connection));
    events = writer;
    const answers = createAnswers(job);
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
  job.record.startedAt = Date.now();
  try {
    setImagesHeader(ctx, job.request, await job.images);
    await deps.runtime.run(attempt, {
      signal,
      mayRetry: (error) => !stream.hasContent && !isClientMistake(error),
      maxWaitMs: deps.settings.queueTimeoutSeconds * 1000,
    });
  } catch (error) {
    const apiError = toApiError(toRequestError(error, job.request), deps.queue);
    if (stream.started) {
      events ??= job.createEvents(createHead(deps, job));
      stream.end(events.fail(apiError));
    }
    throw error;
  } finally {
    stream.close();
    ctx.respond = !stream.started;
  }
}

/** Generates answer number `index` and passes it to `sink`. Returns once the runtime has stopped. */
async function generate(
  connection: RuntimeConnection,
  { request, record, images }: GenerationJob,
  index: number,
  sink: Sink,
  signal: AbortSignal,
): Promise<void> {
  const { answer } = sink;
  const dataUrls = (await images).map(({ dataUrl }) => dataUrl);
  const body = toRuntimeRequest(request, dataUrls, connection.model, index);
  const id = index === 0 ? record.id : `${record.id}/${index + 1}`;
  const before = record.tokens;
  for await (const chunks of connection.chat(body, {
    id,
    signal,
    isComplete: () => answer.isComplete,
  })) {
    record.firstTokenAt ??= Date.now();
    for (const chunk of chunks) {
      const delta = answer.add(chunk);
      if (delta !== undefined) sink.add(delta);
    }
    record.tokens = before + answer.tokens;
    await sink.flush?.(signal);
  }
  const rest = answer.end();
  if (rest !== undefined) sink.add(rest);
}

function createAnswers({ request }: GenerationJob): Answer[] {
  return Array.from({ length: request.answerCount }, () => new Answer(request));
}

function createHead(
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

function setImagesHeader(
  ctx: HttpContext,
  { messages }: GenerationRequest,
  images: readonly LoadedImage[],
) {
  const description = describeImages(messages, images);
  if (description !== '') ctx.set('x-sightglass-images', description);
}

/** Rewrites an error from the runtime in terms of the client's own fields. */
export function toRequestError(error: unknown, request: GenerationRequest): unknown {
  const isFromRuntime =
    error instanceof RuntimeRefusedError || error instanceof GenerationFailedError;
  return isFromRuntime ? toGenerationError(error, request) : error;
}

/** Applies `--max-answer-tokens`, also to requests that set no limit. */
function limitTokens(
  request: GenerationRequest,
  maxAnswerTokens: number | undefined,
): GenerationRequest {
  if (maxAnswerTokens === undefined) return request;
  return { ...request, maxTokens: Math.min(request.maxTokens ?? maxAnswerTokens, maxAnswerTokens) };
}

function refuseOverLimits({ runtime, settings }: Deps, request: GenerationRequest): void {
  const { state } = runtime;
  refuseTooManyImages(request, state.phase === 'ready' ? state.model.context_length : null);
  refuseTooManyPixels(request.parameters, settings.maxImagePixels);
}

function refuseTextOnly({ settings, activity }: Deps, ctx: HttpContext, param: string): void {
  if (settings.allowTextOnly) return;
  activity.textOnlyRefused(appOf(ctx, settings.apiKey));
  throw new InvalidRequestError(
    'The request contains no image, and this server answers questions about images. Add one to a ' +
      'user message (an image_url, input_image or image part). To allow text-only requests, start ' +
      'the server with --allow-text-only (in the app: Answer without a picture).',
    { code: 'text_only_unsupported', param },
  );
}

function refuseTooManyStreams({ activity, settings }: Deps): void {
  if (activity.streams < (settings.maxStreams ?? Number.POSITIVE_INFINITY)) return;
  throw new AtCapacityError('too_many_streams', retryAfterSeconds(activity.nextStreamEndMs()));
}

/**
 * Runs one request: records it in the activity, aborts its signal when the client disconnects or a
 * user cancels it, and logs one line when it ends.
 */
async function track(
  { activity, queue, settings, log }: Deps,
  ctx: HttpContext,
  what: Pick<RequestRecord, 'kind' | 'stream'>,
  work: (record: RequestRecord, signal: AbortSignal) => Promise<void>,
): Promise<void> {
  // A job past its deadline may still hold its slot under an id that the client now reuses.
  const { requestId } = ctx.state;
  if (activity.has(requestId) || queue.has(requestId)) assignFreshId(ctx);
  const controller = new AbortController();
  const abort = (reason: Error) => controller.abort(reason);
  const client = clientOf(ctx, settings.apiKey);
  const record = activity.begin({ id: ctx.state.requestId, client, ...what }, abort);
  abortOnDisconnect(ctx.res, controller);
  let outcome: Outcome = 'ok';
  try {
    await work(record, controller.signal);
  } catch (error) {
    const { code, type } = toApiError(error, queue);
    outcome = error instanceof ClientGoneError ? 'client_gone' : (code ?? type);
    if (!ctx.headerSent) throw error;
  } finally {
    controller.abort(); // stops what is still running, such as a download
    activity.end(record, outcome);
    log.info(toLogLine(record), 'request');
    ctx.state.isLogged = true;
  }
}

function toLogLine(record: RequestRecord) {
  const { id, kind, stream, arrivedAt, startedAt, firstTokenAt, endedAt = 0, tokens } = record;
  const generatingMs = firstTokenAt === undefined ? 0 : endedAt - firstTokenAt;
  return {
    id,
    kind,
    stream,
    queueWaitMs: (startedAt ?? endedAt) - arrivedAt,
    firstTokenMs: firstTokenAt === undefined ? null : firstTokenAt - arrivedAt,
    durationMs: endedAt - arrivedAt,
    tokens,
    tokensPerSecond: generatingMs > 0 ? Math.round((tokens / generatingMs) * 10_000) / 10 : null,
    outcome: record.outcome,
  };
}

/**
 * Identifies the client for fair queueing: by the key it sends, even if none is required, since that
 * distinguishes apps on the same machine; otherwise by its address.
 */
function clientOf(ctx: HttpContext, apiKey: string | undefined): string {
  const keys = apiKeysOf(ctx.headers);
  const [key] = keys;
  if (key === undefined || (apiKey !== undefined && keys.includes(apiKey))) {
    return ctx.req.socket.remoteAddress ?? '';
  }
  // Hashed, since the key may be a secret.
  return `key ${createHash('sha256').update(key).digest('hex').slice(0, 8)}`;
}

/** Identifies the program: by its User-Agent without the version, or as `clientOf` does. */
function appOf(ctx: HttpContext, apiKey: string | undefined): string {
  const [family = ''] = /^[\w.+-]{1,60}(?: [A-Z][\w.+-]{0,40})?/.exec(ctx.get('user-agent')) ?? [];
  return family === '' ? clientOf(ctx, apiKey) : family;
}
