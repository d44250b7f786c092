import type { KnownPicture } from './clients.ts';

export interface CampaignOptions {
  /** Run at full size instead of for about a minute. */
  full: boolean;
  known: readonly KnownPicture[];
  /** How long to run, for campaigns without a fixed size. */
  minutes?: number | undefined;
}

export interface CampaignResult {
  /** A summary with measurements, for the table. */
  figures: string;
  /** The campaign passes if there are none. */
  problems: readonly string[];
}

/** Injects one kind of fault into the real service with the real runtime. */
export interface Campaign {
  name: string;
  run(options: CampaignOptions): Promise<CampaignResult>;
}
