/** How a job ends for its caller: the value, or the name or message of the error. */
export type Outcome = string;

/** A job as the rules know it. */
export interface Member {
  readonly id: string;
  readonly client: string;
  readonly dueMs: number;
  state: 'loading' | 'ready' | 'running' | 'ended';
  /** What the caller is to be told, once that is certain. */
  expected?: Outcome;
  /** What the caller was told, which is to be one thing. */
  readonly told: Outcome[];
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
    told: [],
    loaded: Promise.withResolvers(),
    work: Promise.withResolvers(),
    caller: new AbortController(),
  };
}
