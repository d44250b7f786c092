import { setImmediate as nextTurn } from 'node:timers/promises';

/** What transparent parts are shown on. */
export type Background = 'white' | 'black' | 'gray';

/** White as in browsers, then the others, in the order of preference. Their brightness. */
const BACKGROUNDS: readonly (readonly [Background, number])[] = [
  ['white', 255],
  ['black', 0],
  ['gray', 128],
];
/** Neighbors that differ by more, of 255, form an edge that a viewer sees. */
const MIN_CONTRAST = 24;
/** More contrast than this makes an edge no clearer. */
const MAX_CONTRAST = 128;
/** White is kept while its edges are this clear, compared with those on the best background. */
const ENOUGH = 0.5;
/** Rows are left out of larger images. */
const MAX_PIXELS = 1_000_000;
/** A few milliseconds of work. */
const PIXELS_PER_TURN = 100_000;

/** Whether every pixel of RGBA is opaque. */
export async function isOpaque(pixels: Buffer): Promise<boolean> {
  for (let from = 0; from < pixels.length; from += PIXELS_PER_TURN * 16) {
    const end = Math.min(pixels.length, from + PIXELS_PER_TURN * 16);
    for (let at = from + 3; at < end; at += 4) if (pixels[at] !== 255) return false;
    await nextTurn();
  }
  return true;
}

/**
 * Chooses the background on which a transparent image in RGBA can be recognized: white letters on
 * transparency would be a blank page on white. Compares
 * how clear edges are on each background, by the squares of their contrast.
 */
export async function chooseBackground(pixels: Buffer, width: number): Promise<Background> {
  const rows = pixels.length / 4 / width;
  const step = Math.max(1, Math.ceil((rows * width) / MAX_PIXELS));
  const edges = BACKGROUNDS.map(() => 0);
  const rowsPerTurn = Math.max(1, Math.floor(PIXELS_PER_TURN / width));
  for (let row = 0, done = 1; row < rows; row += step, done++) {
    countEdges(pixels, row * width, width, row + 1 < rows, edges);
    if (done % rowsPerTurn === 0) await nextTurn();
  }
  const best = Math.max(...edges);
  if ((edges[0] ?? 0) >= best * ENOUGH) return 'white';
  return BACKGROUNDS[edges.indexOf(best)]?.[0] ?? 'white';
}

/** Compares each pixel of a row with its neighbors to the right and below. */
function countEdges(
  pixels: Buffer,
  start: number,
  width: number,
  hasRowBelow: boolean,
  edges: number[],
): void {
  for (let x = 0; x < width; x++) {
    const at = (start + x) * 4;
    if (x + 1 < width) countEdge(pixels, at, at + 4, edges);
    if (hasRowBelow) countEdge(pixels, at, at + width * 4, edges);
  }
}

function countEdge(pixels: Buffer, one: number, other: number, edges: number[]): void {
  const [alpha, otherAlpha] = [pixels[one + 3] ?? 0, pixels[other + 3] ?? 0];
  if (alpha === 0 && otherAlpha === 0) return;
  const red = (pixels[one] ?? 0) * alpha - (pixels[other] ?? 0) * otherAlpha;
  const green = (pixels[one + 1] ?? 0) * alpha - (pixels[other + 1] ?? 0) * otherAlpha;
  const blue = (pixels[one + 2] ?? 0) * alpha - (pixels[other + 2] ?? 0) * otherAlpha;
  for (let at = 0; at < edges.length; at++) {
    const behind = (BACKGROUNDS[at]?.[1] ?? 255) * (otherAlpha - alpha);
    const contrast =
      Math.max(Math.abs(red + behind), Math.abs(green + behind), Math.abs(blue + behind)) / 255;
    if (contrast > MIN_CONTRAST)
      edges[at] = (edges[at] ?? 0) + Math.min(contrast, MAX_CONTRAST) ** 2;
  }
}
