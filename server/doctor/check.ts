import { z } from 'zod';

/** What one check found. A check that does not apply here is skipped and says why. */
export const Check = z.object({
  /** Stable, for programs. */
  name: z.string(),
  title: z.string(),
  status: z.enum(['ok', 'failed', 'skipped']),
  found: z.string(),
  /** What to do about a failure. */
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

/** The JSON of a file that may be damaged or cut off; undefined then. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
