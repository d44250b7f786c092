import Table from 'cli-table3';

type Columns<Row> = readonly [string, (row: Row) => string][];

/** A table on a terminal; else a line each, its fields with tabs between them and no heading. */
export function printTable<Row>(
  rows: readonly Row[],
  columns: Columns<Row>,
  out: NodeJS.WriteStream = process.stdout,
): void {
  const cells = rows.map((row) => columns.map(([, toText]) => toPlain(toText(row))));
  if (!out.isTTY) {
    for (const fields of cells) out.write(`${fields.join('\t')}\n`);
    return;
  }
  const table = new Table({
    head: columns.map(([heading]) => heading),
    chars: NO_LINES,
    style: { head: out.hasColors() ? ['bold'] : [], 'padding-left': 0, 'padding-right': 2 },
  });
  table.push(...cells);
  out.write(`${table}\n`);
}

/** Without what a terminal would take for a command or another direction, or a pipe for another field. */
export function toPlain(text: string): string {
  return text.replace(/[\p{Cc}\p{Bidi_Control}]/gu, '?');
}

const NO_LINES = Object.fromEntries(
  [
    ...['top', 'top-mid', 'top-left', 'top-right', 'bottom', 'bottom-mid', 'bottom-left'],
    ...['bottom-right', 'left', 'left-mid', 'mid', 'mid-mid', 'right', 'right-mid', 'middle'],
  ].map((part) => [part, '']),
);
