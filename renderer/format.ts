/** Formats a duration: `840 ms`, `2.1 s`, `3 min 5 s`, `2 h`. */
export function toDuration(ms: number): string {
  if (ms < 999.5) return `${Math.max(0, Math.round(ms))} ms`;
  if (ms < 9950) return `${(ms / 1000).toFixed(1)} s`;
  const seconds = Math.round(ms / 1000);
  if (seconds < 60) return `${seconds} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60)
    return seconds % 60 === 0 ? `${minutes} min` : `${minutes} min ${seconds % 60} s`;
  const hours = Math.floor(minutes / 60);
  return minutes % 60 === 0 ? `${hours} h` : `${hours} h ${minutes % 60} min`;
}

/** Formats a duration in little space: seconds are shown only below ten minutes. */
export function toAge(ms: number): string {
  const isLong = ms >= 600_000 && ms < 3_600_000;
  return toDuration(isLong ? Math.floor(ms / 60_000) * 60_000 : Math.max(0, ms));
}

/** Formats a size like `server/size.ts`, which the panel must not import: `5.2 GB`, `740 MB`, `30 kB`. */
export function toSize(bytes: number): string {
  if (bytes >= 1e9) return `${(bytes / 1e9).toFixed(1)} GB`;
  if (bytes >= 1e6) return `${(bytes / 1e6).toFixed(bytes >= 1e7 ? 0 : 1)} MB`;
  if (bytes >= 1e3) return `${Math.round(bytes / 1e3)} kB`;
  return `${bytes} bytes`;
}

/** Formats a time of day, with seconds. */
export function toTime(at: number): string {
  return new Date(at).toLocaleTimeString(undefined, { hour12: false });
}

export function plural(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}
