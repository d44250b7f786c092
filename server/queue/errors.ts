/** `maxQueueSize` jobs are already waiting, so the new one was refused. */
export class QueueFullError extends Error {
  override name = 'QueueFullError';
  readonly maxQueueSize: number;

  constructor(maxQueueSize: number) {
    super(`The queue is full: ${maxQueueSize} jobs are already waiting. Try again later.`);
    this.maxQueueSize = maxQueueSize;
  }
}

/** The job had not ended `timeoutMs` after its arrival. It waited `waitedMs` of that for a slot. */
export class QueueTimeoutError extends Error {
  override name = 'QueueTimeoutError';
  readonly timeoutMs: number;
  readonly waitedMs: number;

  constructor(timeoutMs: number, waitedMs: number) {
    super(`The job did not end within ${timeoutMs} ms (${waitedMs} ms of that waiting).`);
    this.timeoutMs = timeoutMs;
    this.waitedMs = waitedMs;
  }
}

/** The queue is draining or closed. */
export class QueueClosedError extends Error {
  override name = 'QueueClosedError';

  constructor() {
    super('The queue is closed and does not accept new jobs.');
  }
}
