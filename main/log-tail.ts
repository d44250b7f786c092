import type { LogLine } from '../server/contract.ts';
import type { LogSink } from '../server/log.ts';

const MAX_LINES = 1000;
const BATCH_INTERVAL_MS = 100;
const LEVELS: Readonly<Record<number, LogLine['level']>> = {
  10: 'trace',
  20: 'debug',
  30: 'info',
  40: 'warn',
  50: 'error',
  60: 'fatal',
};
/** Fields shown elsewhere in the line, or of no use to the user. */
const HIDDEN = new Set(['level', 'time', 'pid', 'hostname', 'msg']);

/** Keeps the latest log lines in memory. Lines are parsed only when someone reads or watches them. */
export class LogTail implements LogSink {
  readonly #lines: { number: number; json: string }[] = [];
  #watcher: ((lines: LogLine[]) => void) | undefined;
  #pending: LogLine[] = [];
  #timer: NodeJS.Timeout | undefined;
  #count = 0;

  write(json: string): void {
    const line = { number: this.#count++, json };
    this.#lines.push(line);
    if (this.#lines.length > MAX_LINES) this.#lines.shift();
    if (this.#watcher === undefined) return;
    this.#pending.push(toLogLine(line));
    this.#timer ??= setTimeout(() => this.#flush(), BATCH_INTERVAL_MS);
  }

  lines(): LogLine[] {
    return this.#lines.map(toLogLine);
  }

  /**
   * Calls `watcher` with new lines, in batches, until `unwatch`. A new watcher replaces the previous
   * one, and starts after the lines that `lines()` returns at this point.
   */
  watch(watcher: (lines: LogLine[]) => void): void {
    this.unwatch();
    this.#watcher = watcher;
  }

  unwatch(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#watcher = undefined;
    this.#pending = [];
  }

  #flush(): void {
    this.#timer = undefined;
    const lines = this.#pending;
    this.#pending = [];
    this.#watcher?.(lines);
  }
}

function toLogLine({ number, json }: { number: number; json: string }): LogLine {
  const fields = JSON.parse(json) as Record<string, unknown>;
  const shown = Object.entries(fields)
    .filter(([name, value]) => !HIDDEN.has(name) && value !== undefined)
    .map(([name, value]) => `${name}=${typeof value === 'string' ? value : JSON.stringify(value)}`);
  const text = [fields['msg'], ...shown].filter((part) => part !== undefined && part !== '');
  return {
    number,
    at: Number(fields['time']),
    level: LEVELS[Number(fields['level'])] ?? 'info',
    text: text.join('  '),
  };
}
