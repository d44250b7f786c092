import { Counter, Gauge, Histogram, Registry } from 'prom-client';
import type { Activity } from './activity.ts';
import type { RequestQueue } from './queue/request-queue.ts';
import type { RuntimeSupervisor } from './runtime/supervisor.ts';

export interface MetricsParts {
  queue: RequestQueue;
  runtime: RuntimeSupervisor;
  activity: Activity;
}

/** The upper bounds of the histograms' buckets. */
const SECONDS = [0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300];

/** Metrics for Prometheus. Gauges are read from the parts on request; ended requests are counted. */
export class Metrics {
  readonly #registry = new Registry();
  /** Stops counting requests. */
  readonly close: () => void;

  constructor(parts: MetricsParts) {
    this.#addGauges(parts);
    this.#addTokens(parts.activity);
    this.close = this.#countRequests(parts.activity);
  }

  get contentType(): string {
    return this.#registry.contentType;
  }

  /** In Prometheus' text format. */
  render(): Promise<string> {
    return this.#registry.metrics();
  }

  #addGauges({ queue, runtime, activity }: MetricsParts): void {
    type Row = [name: string, help: string, read: () => number];
    const isReady = () => Number(runtime.state.phase === 'ready');
    const memoryBytes = () => ('memoryBytes' in runtime.state ? runtime.state.memoryBytes : 0);
    const rows: Row[] = [
      ['queue_waiting', 'Requests waiting in the queue.', () => queue.stats.queueSize],
      ['queue_running', 'Queued requests that are running.', () => queue.stats.runningCount],
      ['streams_running', 'Running streams, which do not queue.', () => activity.streams],
      ['max_concurrency', 'Queued requests that may run.', () => queue.stats.maxConcurrency],
      ['max_queue_size', 'Requests that may wait in the queue.', () => queue.stats.maxQueueSize],
      ['runtime_ready', 'Whether the model is loaded.', isReady],
      ['runtime_memory_bytes', 'Memory used by the model and its caches.', memoryBytes],
    ];
    for (const [name, help, read] of rows) {
      new Gauge({
        name: `sightglass_${name}`,
        help,
        registers: [this.#registry],
        collect() {
          this.set(read());
        },
      });
    }
  }

  #addTokens(activity: Activity): void {
    new Counter({
      name: 'sightglass_tokens_total',
      help: 'Tokens generated.',
      registers: [this.#registry],
      collect() {
        this.reset();
        this.inc(activity.tokens);
      },
    });
  }

  /** Observes each request that ends. Returns the unsubscribe. */
  #countRequests(activity: Activity): () => void {
    const shared = { buckets: SECONDS, registers: [this.#registry] };
    const duration = new Histogram({
      name: 'sightglass_request_duration_seconds',
      help: 'Duration of ended requests from arrival to end, waiting included.',
      labelNames: ['kind', 'stream', 'outcome'] as const,
      ...shared,
    });
    const wait = new Histogram({
      name: 'sightglass_request_wait_seconds',
      help: 'How long requests waited before they started.',
      ...shared,
    });
    return activity.onEnd(({ kind, stream, outcome, arrivedAt, startedAt, endedAt }) => {
      const end = endedAt ?? arrivedAt;
      const labels = { kind, stream: String(stream), outcome: outcome ?? '' };
      duration.observe(labels, (end - arrivedAt) / 1000);
      wait.observe(((startedAt ?? end) - arrivedAt) / 1000);
    });
  }
}
