declare module 'pino-roll' {
  import type { SonicBoom, SonicBoomOpts } from 'sonic-boom';

  /** The part of pino-roll 4's options that we use; it ships no types. */
  interface RollOptions extends Omit<SonicBoomOpts, 'dest' | 'fd'> {
    file: string;
    extension?: string;
    size?: string;
    limit?: { count: number; removeOtherLogFiles?: boolean };
    symlink?: boolean;
  }

  // biome-ignore lint/style/noDefaultExport: that is how pino-roll exports it
  export default function roll(options: RollOptions): Promise<SonicBoom>;
}
