import { z } from 'zod';

/** The result of one check. A check that does not apply to this machine is skipped, with the reason. */
export const Check = z.object({
  /** A stable identifier for programs. */
  name: z.string(),
  title: z.string(),
  status: z.enum(['ok', 'failed', 'skipped']),
  found: z.string(),
  /** How to fix a failure. */
  remedy: z.string().optional(),
});
export type Check = z.infer<typeof Check>;

export type Finding = Omit<Check, 'name' | 'title'>;

export function ok(found: string): Finding {
  return { status: 'ok', found };
}

export function failed(found: string, remedy: string): Finding {
  return { status: 'failed', found, remedy };
}

export function skipped(found: string): Finding {
  return { status: 'skipped', found };
}

/** Parses JSON from a file that may be damaged or truncated; returns undefined if it is. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
