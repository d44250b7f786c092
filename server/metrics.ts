import { Counter, Gauge, Histogram, Registry } from 'prom-client';
import type { Activity } from './activity.ts';
import type { RequestQueue } from './queue/request-queue.ts';
import type { RuntimeSupervisor } from './runtime/supervisor.ts';

export interface MetricsParts {
  queue: RequestQueue;
  runtime: RuntimeSupervisor;
  activity: Activity;
}

const SECONDS = [0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300];

/** Metrics for Prometheus. Gauges are read from the parts on request; ended requests are counted. */
export class Metrics {
  readonly #registry = new Registry();
  /** Stops counting requests. */
  readonly close: () => void;

  constructor({ queue, runtime, activity }: MetricsParts) {
    const registers = [this.#registry];
    const gauge = (name: string, help: string, read: () => number) =>
      new Gauge({
        name,
        help,
        registers,
        collect() {
          this.set(read());
        },
      });
    gauge(
      'sightglass_queue_waiting',
      'Requests waiting in the queue.',
      () => queue.stats.queueSize,
    );
    gauge(
      'sightglass_queue_running',
      'Queued requests that are running.',
      () => queue.stats.runningCount,
    );
    gauge(
      'sightglass_streams_running',
      'Streaming requests that are running; they do not queue.',
      () => activity.streams,
    );
    gauge(
      'sightglass_max_concurrency',
      'Queued requests that may run concurrently.',
      () => queue.stats.maxConcurrency,
    );
    gauge(
      'sightglass_max_queue_size',
      'Requests that may wait in the queue.',
      () => queue.stats.maxQueueSize,
    );
    gauge('sightglass_runtime_ready', 'Whether the model is loaded.', () =>
      Number(runtime.state.phase === 'ready'),
    );
    gauge('sightglass_runtime_memory_bytes', 'Memory used by the model and its caches.', () =>
      'memoryBytes' in runtime.state ? runtime.state.memoryBytes : 0,
    );
    new Counter({
      name: 'sightglass_tokens_total',
      help: 'Tokens generated.',
      registers,
      collect() {
        this.reset();
        this.inc(activity.tokens);
      },
    });
    const labelNames = ['kind', 'stream', 'outcome'] as const;
    const ended = new Histogram({
      name: 'sightglass_request_duration_seconds',
      help: 'Duration of ended requests from arrival to end, waiting included.',
      labelNames,
      buckets: SECONDS,
      registers,
    });
    const waited = new Histogram({
      name: 'sightglass_request_wait_seconds',
      help: 'How long requests waited before they started.',
      buckets: SECONDS,
      registers,
    });
    this.close = activity.onEnd(({ kind, stream, outcome, arrivedAt, startedAt, endedAt }) => {
      const end = endedAt ?? arrivedAt;
      const labels = { kind, stream: String(stream), outcome: outcome ?? '' };
      ended.observe(labels, (end - arrivedAt) / 1000);
      waited.observe(((startedAt ?? end) - arrivedAt) / 1000);
    });
  }

  get contentType(): string {
    return this.#registry.contentType;
  }

  /** In Prometheus' text format. */
  render(): Promise<string> {
    return this.#registry.metrics();
  }
}
