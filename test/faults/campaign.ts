import type { Known } from './asking.ts';

export interface CampaignOptions {
  /** Run at full size; otherwise a short version of about a minute. */
  full: boolean;
  known: readonly Known[];
  /** How long to run, for campaigns that can run for any time. */
  minutes?: number | undefined;
}

export interface CampaignResult {
  /** What was done and measured, as a cell of the table. */
  figures: string;
  /** What went wrong; the campaign passes if empty. */
  problems: readonly string[];
}

/** One kind of fault, injected into the real service with the real runtime. */
export interface Campaign {
  name: string;
  run(options: CampaignOptions): Promise<CampaignResult>;
}
