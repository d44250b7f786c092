import { announce } from '../record.ts';
import { refuseUnknown } from '../strict.ts';

const blockers = new Map<number, string>();
let lastId = -1;

export const powerSaveBlocker = refuseUnknown('powerSaveBlocker', {
  start(type: string): number {
    blockers.set(++lastId, type);
    announce();
    return lastId;
  },
  stop(id: number): boolean {
    const was = blockers.delete(id);
    announce();
    return was;
  },
  isStarted: (id: number) => blockers.has(id),
});

/** The kinds of those that are on. */
export function startedBlockers(): string[] {
  return [...blockers.values()];
}
