/** The line is at `maxQueueSize`: the job was refused when it came. */
export class QueueFullError extends Error {
  override name = 'QueueFullError';
  readonly maxQueueSize: number;

  constructor(maxQueueSize: number) {
    super(`The queue is full: ${maxQueueSize} jobs wait already. Try again later.`);
    this.maxQueueSize = maxQueueSize;
  }
}

/** The job had not ended `timeoutMs` after its arrival, of which it waited `waitedMs` for its turn. */
export class QueueTimeoutError extends Error {
  override name = 'QueueTimeoutError';
  readonly timeoutMs: number;
  readonly waitedMs: number;

  constructor(timeoutMs: number, waitedMs: number) {
    super(`The job did not end within ${timeoutMs} ms, of which it waited ${waitedMs} ms.`);
    this.timeoutMs = timeoutMs;
    this.waitedMs = waitedMs;
  }
}

/** The queue drains or is closed, and takes no more jobs. */
export class QueueClosedError extends Error {
  override name = 'QueueClosedError';

  constructor() {
    super('The queue is closed and takes no more jobs.');
  }
}

/** Somebody other than its caller cancelled the job; `cause` is the reason given, if any. */
export class JobCancelledError extends Error {
  override name = 'JobCancelledError';
  readonly id: string;

  constructor(id: string, reason?: unknown) {
    super(`The job ${id} was cancelled.`, reason === undefined ? {} : { cause: reason });
    this.id = id;
  }
}
