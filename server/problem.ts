import { z } from 'zod';

/** Why something failed: a reason for programs, a message and a remedy for people. */
export const Problem = z.object({
  reason: z.string(),
  message: z.string(),
  /** What the user can do about it. */
  remedy: z.string(),
});
export type Problem = z.infer<typeof Problem>;

/** A failure that the user can do something about. */
export class ProblemError extends Error {
  override name = 'ProblemError';
  readonly problem: Problem;

  constructor({ reason, message, remedy }: Problem) {
    super(`${message} ${remedy}`.trim());
    this.problem = { reason, message, remedy };
  }
}

/** A model cannot be read, downloaded or served. */
export class ModelError extends ProblemError {
  override name = 'ModelError';
}
