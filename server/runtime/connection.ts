import { createParser } from 'eventsource-parser';
import { type Dispatcher, Pool } from 'undici';
import { z } from 'zod';
import { type JsonBody, toJsonBody } from '../long-text.ts';
import { GenerationFailedError, RuntimeDiedError, RuntimeRefusedError } from './errors.ts';
import { HangWatch, type HangWatchOptions, type RuntimeProgress } from './hang-watch.ts';
import type { ChatChunk, ReadyLine, RuntimeChatRequest, RuntimeUsage } from './protocol.ts';

export interface ChatOptions {
  /** The request's id, by which the launcher knows the generation. */
  id: string;
  signal: AbortSignal;
  /** Called after every read. Whether the answer is complete, although the model would continue. */
  isComplete?: () => boolean;
  /** Only requests with the same salt share the prefix cache (`_read_tenant_id` in mlx_vlm). */
  cacheSalt?: string;
}

/** Permission to use a connection until it is released. */
export interface Lease {
  readonly connection: RuntimeConnection;
  /** Fires when the runtime is stopped: the work must end soon, with the signal's reason. */
  readonly signal: AbortSignal;
  release(): void;
}

export interface ConnectionOptions extends Omit<HangWatchOptions, 'probe'> {
  model: ReadyLine;
  socketPath: string;
  /** Resolves when the process has exited. */
  died: Promise<unknown>;
  /** Called when the last lease is released. */
  onIdle: () => void;
}

/**
 * The HTTP client of one runtime process: mlx_vlm's server on a Unix socket. It always streams, because
 * mlx_vlm cancels a generation when its stream is closed.
 */
export class RuntimeConnection {
  readonly model: ReadyLine;
  readonly socketPath: string;
  /** Resolves when the process has exited. */
  readonly died: Promise<unknown>;
  readonly #pool: Pool;
  readonly #watch: HangWatch;
  readonly #onIdle: () => void;
  readonly #leases = new Set<AbortController>();
  #generating = 0;

  constructor({ model, socketPath, died, onIdle, ...watch }: ConnectionOptions) {
    this.model = model;
    this.socketPath = socketPath;
    this.died = died;
    this.#onIdle = onIdle;
    this.#watch = new HangWatch({ ...watch, probe: (signal) => this.progress(signal) });
    this.#pool = new Pool('http://runtime', {
      socketPath,
      connections: null,
      headersTimeout: 0,
      bodyTimeout: 0,
    });
    void died.then(() => {
      this.#watch.stop();
      return this.#pool.destroy();
    });
  }

  /** Whether there are no leases. */
  get isIdle(): boolean {
    return this.#leases.size === 0;
  }

  /** Work holds a lease from before its first request until after its last. */
  lease(): Lease {
    const controller = new AbortController();
    this.#leases.add(controller);
    const release = () => {
      if (this.#leases.delete(controller) && this.isIdle) this.#onIdle();
    };
    return { connection: this, signal: controller.signal, release };
  }

  /** Aborts the signals of all leases. */
  cancelWork(reason: Error): void {
    for (const controller of [...this.#leases]) controller.abort(reason);
  }

  /**
   * Generates an answer, yielding together the chunks of each network read. Ends only when the runtime
   * has released the request, even after an error, so that a slot is never reused too early.
   * @throws RuntimeDiedError, RuntimeRefusedError, GenerationFailedError, or the signal's reason
   */
  async *chat(request: RuntimeChatRequest, options: ChatOptions): AsyncGenerator<ChatChunk[]> {
    options.signal.throwIfAborted();
    const body = toJsonBody(request);
    const end = this.#watch.begin();
    this.#generating += 1;
    const isShared = () => this.#generating > 1;
    let finished = false;
    try {
      const response = await this.#post('/v1/chat/completions', body, options);
      const chunks: ChatChunk[] = [];
      const parser = createParser({
        onEvent: ({ data }) => {
          if (data === '[DONE]') finished = true;
          else chunks.push(parseChunk(data, isShared));
        },
      });
      const decoder = new TextDecoder();
      for await (const bytes of response.body) {
        this.#watch.progress();
        parser.feed(decoder.decode(bytes, { stream: true }));
        if (chunks.length > 0) yield chunks.splice(0);
        if (options.isComplete?.()) break;
      }
      if (!finished && options.isComplete?.()) {
        const usage = await this.#ended(options.id);
        finished = true;
        if (usage !== undefined) yield [{ choices: [], usage }];
      }
      if (!finished) throw new RuntimeDiedError('The runtime closed the stream before its end.');
    } catch (error) {
      options.signal.throwIfAborted();
      if (!isLostConnection(error)) throw error;
      throw new RuntimeDiedError('The connection to the runtime was lost.', { cause: error });
    } finally {
      if (!finished) await this.#ended(options.id);
      this.#generating -= 1;
      end();
    }
  }

  /**
   * Counts the prompt tokens of a chat request, without generating.
   * @throws RuntimeDiedError, RuntimeRefusedError, or the signal's reason
   */
  async countTokens(request: RuntimeChatRequest, options: ChatOptions): Promise<number> {
    try {
      const response = await this.#post('/sightglass/tokens', toJsonBody(request), options);
      const { prompt_tokens } = (await response.body.json()) as { prompt_tokens: number };
      return prompt_tokens;
    } catch (error) {
      options.signal.throwIfAborted();
      if (!isLostConnection(error)) throw error;
      throw new RuntimeDiedError('The connection to the runtime was lost.', { cause: error });
    }
  }

  async progress(signal?: AbortSignal): Promise<RuntimeProgress> {
    return (await this.#get('/sightglass/progress', signal)) as RuntimeProgress;
  }

  /** After a lost connection, resolves once it is known whether the process has exited. */
  async settled(): Promise<void> {
    await this.progress().catch(() => this.died);
  }

  /** Waits until the generation has ended. Resolves with its usage, if it had started. */
  async #ended(id: string): Promise<RuntimeUsage | undefined> {
    const path = `/sightglass/requests/${encodeURIComponent(id)}/ended`;
    return (await this.#get(path).catch(() => this.died)) as RuntimeUsage | undefined;
  }

  async #get(path: string, signal?: AbortSignal): Promise<unknown> {
    const response = await this.#pool.request({ method: 'GET', path, signal: signal ?? null });
    const text = await response.body.text();
    return text === '' ? undefined : JSON.parse(text);
  }

  async #post(
    path: string,
    body: JsonBody,
    { id, signal, cacheSalt }: ChatOptions,
  ): Promise<Dispatcher.ResponseData> {
    const response = await this.#pool.request({
      method: 'POST',
      path,
      headers: {
        'content-type': 'application/json',
        'content-length': String(body.bytes),
        'x-request-id': id,
        ...(cacheSalt === undefined ? {} : { 'x-apc-tenant': cacheSalt }),
      },
      body: body.stream(),
      signal,
    });
    if (response.statusCode === 200) return response;
    const { message, code } = toDetail(await response.body.text());
    throw new RuntimeRefusedError(response.statusCode, message, code);
  }
}

/** Whether it is a socket error of Node or undici; those have a code. */
function isLostConnection(error: unknown): boolean {
  const { code } = error as NodeJS.ErrnoException;
  return typeof code === 'string' && /^(UND_ERR_|E[A-Z]+$)/.test(code);
}

function parseChunk(data: string, isShared: () => boolean): ChatChunk {
  const chunk = JSON.parse(data) as ChatChunk;
  if (chunk.error !== undefined) throw new GenerationFailedError(String(chunk.error), isShared());
  return chunk;
}

/** One of pydantic's errors: where in the body, and what is wrong. */
function toProblem({ loc, msg }: { loc?: unknown[]; msg?: unknown }): string {
  const field = (loc ?? []).slice(1).join('.');
  const what = String(msg).replace(/^Value error, /, '');
  return field === '' ? what : `${field}: ${what}`;
}

/**
 * The message in FastAPI's `{"detail": ...}`, which is a string, a list of pydantic's errors, or the
 * launcher's own object with a code.
 */
function toDetail(body: string): { message: string; code?: string } {
  try {
    const { detail } = JSON.parse(body) as { detail?: unknown };
    if (typeof detail === 'string') return { message: detail };
    if (Array.isArray(detail)) return { message: detail.map(toProblem).join('; ') };
    const coded = LauncherDetail.safeParse(detail);
    if (coded.success) return coded.data;
  } catch {
    // not JSON
  }
  return { message: body };
}

const LauncherDetail = z.object({ code: z.string(), message: z.string() });
