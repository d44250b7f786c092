import { createHash } from 'node:crypto';
import type { Outcome, RequestRecord } from '../activity.ts';
import type { Deps, HttpContext } from './deps.ts';
import { abortWhenGone, ClientGoneError, toApiError } from './errors.ts';
import { apiKeysOf, assignFreshId } from './guards.ts';

/**
 * Runs the work of one request with its record in the activity, a signal that aborts when its
 * client goes away or a person cancels it, and its one line in the log.
 */
export async function track(
  { activity, queue, settings, log }: Deps,
  ctx: HttpContext,
  what: Pick<RequestRecord, 'kind' | 'stream'>,
  work: (record: RequestRecord, signal: AbortSignal) => Promise<void>,
): Promise<void> {
  // A job past its deadline may still hold its slot under the id that its client sends again.
  const { requestId } = ctx.state;
  if (activity.has(requestId) || queue.has(requestId)) assignFreshId(ctx);
  const controller = new AbortController();
  const abort = (reason: Error) => controller.abort(reason);
  const client = clientOf(ctx, settings.apiKey);
  const record = activity.begin({ id: ctx.state.requestId, client, ...what }, abort);
  abortWhenGone(ctx.res, controller);
  let outcome: Outcome = 'ok';
  try {
    await work(record, controller.signal);
  } catch (error) {
    outcome = error instanceof ClientGoneError ? 'client_gone' : toOutcome(error, queue);
    if (!ctx.headerSent) throw error;
  } finally {
    controller.abort(); // stop what is still running, such as a download
    activity.end(record, outcome);
    log.info(toLogLine(record), 'request');
    ctx.state.isLogged = true;
  }
}

/**
 * The client for the fair queue: the key a client sends, even if none is needed, since it distinguishes
 * one app on this machine from another; else its address.
 */
export function clientOf(ctx: HttpContext, apiKey: string | undefined): string {
  const keys = apiKeysOf(ctx.headers);
  const [key] = keys;
  if (key === undefined || (apiKey !== undefined && keys.includes(apiKey))) {
    return ctx.req.socket.remoteAddress ?? '';
  }
  return `key ${createHash('sha256').update(key).digest('hex').slice(0, 8)}`; // it may be a secret
}

function toOutcome(error: unknown, queue: Deps['queue']): Outcome {
  const { code, type } = toApiError(error, queue);
  return code ?? type;
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
