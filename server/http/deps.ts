import type { Context } from 'koa';
import type { Logger } from 'pino';
import type { Activity } from '../activity.ts';
import type { ResponseStore } from '../apis/responses/store.ts';
import type { ByteBudget, Reservation } from '../byte-budget.ts';
import type { ImageLoader } from '../images/loader.ts';
import type { Metrics } from '../metrics.ts';
import type { RequestQueue } from '../queue/request-queue.ts';
import type { RuntimeSupervisor } from '../runtime/supervisor.ts';
import type { Settings } from '../settings.ts';

/** The parts of the service that the HTTP API uses. */
export interface Deps {
  settings: Settings;
  queue: RequestQueue;
  runtime: RuntimeSupervisor;
  images: ImageLoader;
  /** Shared by all requests. */
  memory: ByteBudget;
  responses: ResponseStore;
  activity: Activity;
  metrics: Metrics;
  log: Logger;
}

/** Koa's `ctx.state`, which middleware and routes share. */
export interface State {
  requestId: string;
  /** The request's share of the memory, reserved before its body is read. */
  memory?: Reservation;
  /** Whether the request has already been logged. */
  isLogged?: boolean;
}

export type HttpContext = Context & { state: State };
