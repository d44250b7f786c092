import type { QueueLimits } from '../../../server/queue/request-queue.ts';

/** An event in the life of a queue. `pick` selects the job, modulo the number of candidates. */
export type Step =
  | { do: 'submit'; client: string; ready: 'now' | 'later' }
  | { do: 'finish' | 'fail' | 'load' | 'failToLoad' | 'abort'; pick: number }
  | { do: 'turn' }
  | { do: 'pause' | 'resume' | 'drain' | 'close' }
  | { do: 'tick'; ms: number }
  | { do: 'limit'; limits: Partial<QueueLimits> };
