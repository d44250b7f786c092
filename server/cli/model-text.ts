import Table from 'cli-table3';
import type { CheckResult, Fit, FoundModel, SuggestedModel } from '../models/views.ts';
import { toSize } from '../size.ts';

const VERDICTS: Readonly<Record<Fit['verdict'], string>> = {
  fits: 'fits',
  tight: 'tight',
  too_large: 'does not fit',
};

function toVerdict(fit: Fit | undefined): string {
  return fit === undefined ? '' : VERDICTS[fit.verdict];
}

/** The numbers behind a verdict. */
export function explainFit(fit: Fit): string {
  const { weightsBytes, cacheBytes, requests, tokensPerRequest, memoryBytes } = fit;
  const each = requests === 1 ? 'a request' : `${requests} requests`;
  const cache =
    cacheBytes === 0 ? '' : ` and ${toSize(cacheBytes)} for ${each} of ${tokensPerRequest} tokens`;
  return `${toSize(weightsBytes)} of weights${cache}; there are ${toSize(memoryBytes)} for models`;
}

/** Describes a model, one fact per line. */
export function describeModel(model: FoundModel): string {
  const { path, type, quantization, bytes, seesPictures, fit, problem, note } = model;
  const facts: [string, string | undefined][] = [
    ['Model', path],
    ['Architecture', type],
    ['Quantization', quantization],
    ['On disk', bytes === 0 ? undefined : toSize(bytes)],
    ['Sees pictures', seesPictures === undefined ? undefined : seesPictures ? 'yes' : 'no'],
    ['Memory', fit === undefined ? undefined : `${toVerdict(fit)}: ${explainFit(fit)}`],
    ['Problem', problem?.message],
    ['Remedy', problem?.remedy],
    ['Note', note],
  ];
  return facts
    .flatMap(([name, value]) =>
      value === undefined ? [] : [`${name.padEnd(15)}${toPlain(value)}\n`],
    )
    .join('');
}

/** The columns of the table of models: heading and content. */
export const FOUND_COLUMNS: readonly [string, (model: FoundModel) => string][] = [
  ['Model', ({ path }) => path],
  ['Architecture', ({ type }) => type ?? ''],
  ['Weights', ({ quantization }) => quantization ?? ''],
  ['Size', ({ bytes }) => toSize(bytes)],
  ['Pictures', ({ seesPictures }) => (seesPictures === true ? 'yes' : 'no')],
  ['Memory', ({ fit }) => toVerdict(fit)],
  ['Place', ({ place }) => place],
];

export const SUGGESTED_COLUMNS: readonly [string, (model: SuggestedModel) => string][] = [
  ['Id', ({ id }) => id],
  ['Size', ({ bytes }) => toSize(bytes)],
  ['Memory', ({ fit }) => toVerdict(fit)],
  ['Licence', ({ licence }) => licence],
  ['Good for', ({ note }) => note],
];

/** Describes the result of a check. */
export function describeCheck(result: CheckResult): string {
  const { model, questions, differing, speeds, memoryBytes, recommended } = result;
  const [alone] = speeds;
  const lines = speeds.map(({ streams, tokensPerSecond }) => {
    const times = tokensPerSecond / (alone?.tokensPerSecond || 1);
    const speed = `${tokensPerSecond.toFixed(1)} tokens/s`.padStart(16);
    return `  ${streams} at once  ${speed}  ${times.toFixed(2)} times one alone`;
  });
  const changed = differing.map(
    ({ streams, alone: one, together }) =>
      `  ${streams} at once\n    alone:    ${oneLine(one)}\n    together: ${oneLine(together)}`,
  );
  const verdict =
    differing.length === 0
      ? `All answers about ${questions} pictures were the same, alone and together.`
      : `${differing.length} answers changed when several were asked at once:\n${changed.join('\n')}`;
  return [
    `${model}: ${verdict}`,
    ...lines,
    `Most memory in use: ${toSize(memoryBytes)}`,
    `Recommended: --max-concurrency ${recommended}`,
    '',
  ].join('\n');
}

function oneLine(text: string): string {
  return JSON.stringify(text.length > 200 ? `${text.slice(0, 200)}…` : text);
}

type Columns<Row> = readonly [string, (row: Row) => string][];

/** A table on a terminal; otherwise tab-separated lines without a heading. */
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

/** Replaces control and bidirectional characters, which a terminal or a reader of fields would interpret. */
export function toPlain(text: string): string {
  return text.replace(/[\p{Cc}\p{Bidi_Control}]/gu, '?');
}

const NO_LINES = Object.fromEntries(
  [
    ...['top', 'top-mid', 'top-left', 'top-right', 'bottom', 'bottom-mid', 'bottom-left'],
    ...['bottom-right', 'left', 'left-mid', 'mid', 'mid-mid', 'right', 'right-mid', 'middle'],
  ].map((part) => [part, '']),
);
