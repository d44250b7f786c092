/** Number of points at which curves are compared. */
const POINTS = 32;
/** On a scale of 0 to 1. Profiles store rounded numbers, and tables of various lengths. */
const MAX_DIFFERENCE = 0.004;

/** The primaries of sRGB adapted to D50, as in every ICC profile for it. */
const SRGB_COLORANTS: Readonly<Record<string, readonly [number, number, number]>> = {
  rXYZ: [0.43607, 0.22249, 0.01392],
  gXYZ: [0.38515, 0.71687, 0.09708],
  bXYZ: [0.14307, 0.06061, 0.7141],
};

/**
 * Whether a color profile is equivalent to sRGB. Compares its content, not its name: some display
 * profiles are called "sRGB" too, and sRGB profiles have many names.
 */
export function isSrgbProfile(profile: Buffer): boolean {
  const tags = readTags(profile);
  if (tags === undefined || tags.has('A2B0')) return false;
  const space = profile.toString('latin1', 16, 20);
  if (space === 'GRAY') return isSrgbCurve(tags.get('kTRC'));
  if (space !== 'RGB ') return false;
  return Object.entries(SRGB_COLORANTS).every(
    ([name, expected]) =>
      isColor(tags.get(name), expected) && isSrgbCurve(tags.get(`${name[0]}TRC`)),
  );
}

/** Returns the tags by name, or undefined if the data is not a profile. */
function readTags(profile: Buffer): Map<string, Buffer> | undefined {
  if (profile.length < 132 || profile.toString('latin1', 36, 40) !== 'acsp') return undefined;
  const tags = new Map<string, Buffer>();
  const count = Math.min(100, profile.readUInt32BE(128));
  for (let at = 132; at < 132 + count * 12 && at + 12 <= profile.length; at += 12) {
    const offset = profile.readUInt32BE(at + 4);
    const length = profile.readUInt32BE(at + 8);
    tags.set(profile.toString('latin1', at, at + 4), profile.subarray(offset, offset + length));
  }
  return tags;
}

function isColor(tag: Buffer | undefined, expected: readonly number[]): boolean {
  if (tag === undefined || tag.length < 20) return false;
  return expected.every(
    (value, at) => Math.abs(readFixed(tag, 8 + at * 4) - value) <= MAX_DIFFERENCE,
  );
}

function isSrgbCurve(tag: Buffer | undefined): boolean {
  const curve = tag && readCurve(tag);
  if (curve === undefined) return false;
  return Array.from({ length: POINTS + 1 }, (_, at) => at / POINTS).every(
    (x) => Math.abs(curve(x) - toLinear(x)) <= MAX_DIFFERENCE,
  );
}

/** The curve of sRGB (IEC 61966-2-1). */
function toLinear(x: number): number {
  return x <= 0.04045 ? x / 12.92 : ((x + 0.055) / 1.055) ** 2.4;
}

/** A table, a gamma, or one of ICC.1's parametric functions. */
function readCurve(tag: Buffer): ((x: number) => number) | undefined {
  const type = tag.toString('latin1', 0, 4);
  if (type === 'curv' && tag.length >= 12) return readTable(tag, tag.readUInt32BE(8));
  if (type === 'para' && tag.length >= 16) return readFunction(tag, tag.readUInt16BE(8));
  return undefined;
}

function readTable(tag: Buffer, count: number): ((x: number) => number) | undefined {
  if (count === 0) return (x) => x;
  if (tag.length < 12 + count * 2) return undefined;
  const value = (at: number) => tag.readUInt16BE(12 + at * 2);
  if (count === 1) return (x) => x ** (value(0) / 256);
  return (x) => {
    const place = x * (count - 1);
    const below = Math.min(count - 2, Math.floor(place));
    return (value(below) + (value(below + 1) - value(below)) * (place - below)) / 65_535;
  };
}

function readFunction(tag: Buffer, kind: number): ((x: number) => number) | undefined {
  const counts = [1, 3, 4, 5, 7];
  const count = counts[kind];
  if (count === undefined || tag.length < 12 + count * 4) return undefined;
  const given = Array.from({ length: count }, (_, at) => readFixed(tag, 12 + at * 4));
  const [g = 1, a = 1, b = 0, c = 0, d = 0, e = 0, f = 0] = given;
  if (kind === 0) return (x) => x ** g;
  if (kind <= 2) return (x) => (x >= -b / a ? (a * x + b) ** g : 0) + c;
  return (x) => (x >= d ? (a * x + b) ** g + e : c * x + f);
}

/** s15Fixed16Number. */
function readFixed(tag: Buffer, at: number): number {
  return tag.readInt32BE(at) / 65_536;
}
