import type { Known } from './asking.ts';

export interface CampaignOptions {
  /** With the numbers of docs/reliability.md; otherwise a short version of a minute or so. */
  full: boolean;
  known: readonly Known[];
}

export interface CampaignResult {
  /** What was done and measured, for the table. */
  figures: string;
  /** What should not have happened; none means that it held. */
  problems: readonly string[];
}

/** One kind of fault, tried on the real service with the real runtime. */
export interface Campaign {
  name: string;
  run(options: CampaignOptions): Promise<CampaignResult>;
}
