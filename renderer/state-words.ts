import type { Snapshot } from '../server/contract.ts';

export type Tone = 'off' | 'working' | 'ready' | 'busy' | 'failed';

/** What the header says of the whole, and in which tone. */
export function toStateWords({ server, runtime, load }: Snapshot): { words: string; tone: Tone } {
  if (server.phase === 'failed' || runtime.phase === 'failed') {
    return { words: 'Failed', tone: 'failed' };
  }
  if (server.phase === 'off') return { words: 'Stopped', tone: 'off' };
  if (server.phase === 'starting') return { words: 'Starting', tone: 'working' };
  if (server.phase === 'draining') return { words: 'Finishing requests', tone: 'working' };
  switch (runtime.phase) {
    case 'ready':
      return load.running + load.waiting > 0
        ? { words: 'Busy', tone: 'busy' }
        : { words: 'Ready', tone: 'ready' };
    case 'unloaded':
      return { words: 'Ready, model unloaded', tone: 'ready' };
    case 'crashed':
      return { words: 'Restarting the model', tone: 'failed' };
    case 'stopping':
      return { words: 'Unloading the model', tone: 'working' };
    default:
      return { words: 'Loading the model', tone: 'working' };
  }
}
