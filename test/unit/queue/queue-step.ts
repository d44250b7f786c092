import type { QueueLimits } from '../../../server/queue/request-queue.ts';

/** Something that happens to a queue. `pick` says which job, modulo the jobs that it can happen to. */
export type Step =
  | { do: 'submit'; client: string; ready: 'now' | 'later' }
  | { do: 'finish' | 'fail' | 'load' | 'failToLoad' | 'abort'; pick: number }
  | { do: 'turn' }
  | { do: 'pause' | 'resume' | 'drain' | 'close' }
  | { do: 'tick'; ms: number }
  | { do: 'limit'; limits: Partial<QueueLimits> };
