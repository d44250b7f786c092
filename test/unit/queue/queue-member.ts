/** How a job's promise settles: the value, or the name or message of the error. */
export type Outcome = string;

/** A job in the model of the queue. */
export interface Member {
  readonly id: string;
  readonly client: string;
  readonly dueMs: number;
  state: 'loading' | 'ready' | 'running' | 'ended';
  /** How the promise must settle, once that is certain. */
  expected?: Outcome;
  /** How the promise has settled: one outcome at most. */
  readonly outcomes: Outcome[];
  readonly loaded: PromiseWithResolvers<void>;
  readonly work: PromiseWithResolvers<string>;
  readonly caller: AbortController;
}

export function createMember(
  id: string,
  client: string,
  dueMs: number,
  state: 'loading' | 'ready',
): Member {
  return {
    id,
    client,
    dueMs,
    state,
    outcomes: [],
    loaded: Promise.withResolvers(),
    work: Promise.withResolvers(),
    caller: new AbortController(),
  };
}
