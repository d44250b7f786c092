export const PLATFORMS = ['linux', 'macos'] as const;
export type Platform = (typeof PLATFORMS)[number];

/** A bundle being made for one platform. */
export interface Bundle {
  platform: Platform;
  /** Whether it is of the machine that makes it, so that its Python can be run. */
  isOwn: boolean;
  root: string;
  /** The bundle itself. */
  folder: string;
  /** The interpreter's tree in it. */
  python: string;
  /** Where its packages are. */
  packages: string;
}
