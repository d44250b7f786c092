import type { LogLine } from '../server/contract.ts';
import type { LogSink } from '../server/log.ts';

const KEPT_LINES = 1000;
const TELL_EVERY_MS = 100;
const LEVELS: Readonly<Record<number, LogLine['level']>> = {
  10: 'trace',
  20: 'debug',
  30: 'info',
  40: 'warn',
  50: 'error',
  60: 'fatal',
};
/** Said elsewhere in the line, or of no use to a person. */
const HIDDEN = new Set(['level', 'time', 'pid', 'hostname', 'msg']);

/** The latest lines of the log, in memory. They are read only for those who watch. */
export class LogTail implements LogSink {
  readonly #lines: { number: number; json: string }[] = [];
  #watcher: ((lines: LogLine[]) => void) | undefined;
  #untold: LogLine[] = [];
  #timer: NodeJS.Timeout | undefined;
  #count = 0;

  write(json: string): void {
    const line = { number: this.#count++, json };
    this.#lines.push(line);
    if (this.#lines.length > KEPT_LINES) this.#lines.shift();
    if (this.#watcher === undefined) return;
    this.#untold.push(toLogLine(line));
    this.#timer ??= setTimeout(() => this.#tell(), TELL_EVERY_MS);
  }

  lines(): LogLine[] {
    return this.#lines.map(toLogLine);
  }

  /**
   * Reports lines written from now on, in batches, until `unwatch`. There is one watcher. It reads
   * the earlier lines with `lines()`, so none of those is left to report.
   */
  watch(watcher: (lines: LogLine[]) => void): void {
    this.unwatch();
    this.#watcher = watcher;
  }

  unwatch(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#watcher = undefined;
    this.#untold = [];
  }

  #tell(): void {
    this.#timer = undefined;
    const lines = this.#untold;
    this.#untold = [];
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
