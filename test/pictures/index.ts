import { execFileSync } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { toPipEnvironment } from '../../scripts/setup-python-settings.mjs';
import { ImageLoader, type LoadedImage } from '../../server/images/loader.ts';
import { ImageError } from '../../server/images/rules.ts';

import { Viewer } from './viewer.ts';

// `npm run test:pictures`: converts Pillow's test images as for a request, and compares the results with what
// a color-managed viewer shows. `-- FOLDER` uses other images.

/** The largest mean difference of all channels, of 255, that JPEG and scaling may cause. */
const MAX_DIFFERENCE = 4;
/** How many of the largest differences to print. */
const SHOWN = 20;

const BMP_ALPHA =
  'the alpha channel of a BMP is ignored, as in most viewers, since many programs leave it at 0';
const CMYK =
  'CMYK without a profile: libvips assumes a printer profile, Pillow subtracts the ink values';
/** Pillow's test images that Sightglass shows differently on purpose, with the reasons. */
const EXPECTED_DIFFERENCES: Readonly<Record<string, string>> = {
  'rgb32bf-abgr.bmp': BMP_ALPHA,
  'rgb32bf-rgba.bmp': `${BMP_ALPHA} (with swapped masks)`,
  'bmp/q/rgba32.bmp': BMP_ALPHA,
  'bmp/q/rgba32h56.bmp': BMP_ALPHA,
  'bmp/b/badrle.bmp':
    'damaged on purpose: the runs exceed the image, and decoders differ in what they keep',
  'exif_imagemagick_orientation.png':
    'the orientation is in a text chunk of ImageMagick, which Pillow reads but browsers do not',
  'tiff_strip_cmyk_16l_jpeg.tif': CMYK,
  'tiff_strip_cmyk_jpeg.tif': CMYK,
  'tiff_tiled_cmyk_jpeg.tif': CMYK,
  'pil_sample_cmyk.jpg': CMYK,
};

interface Result {
  file: string;
  image?: LoadedImage;
  refusal?: Error;
  /** The difference between the image sent to the model and the original as Pillow shows it. */
  difference?: number;
  /** Why Pillow cannot read the original. */
  error?: string;
}

const python = fileURLToPath(new URL('../../resources/runtime/.venv/bin/python', import.meta.url));
const { positionals } = parseArgs({ allowPositionals: true });
const work = await mkdtemp(path.join(tmpdir(), 'sightglass-pictures-'));
try {
  const usesPillow = positionals[0] === undefined;
  const folder = positionals[0] ?? (await downloadPillow(work));
  const results = await compareAll(folder, work);
  report(results);
  const problems = results.flatMap((result) => judge(result, usesPillow));
  for (const problem of problems) process.stderr.write(`✖ ${problem}\n`);
  process.exitCode = problems.length === 0 && results.length > 0 ? 0 : 1;
} finally {
  await rm(work, { recursive: true, force: true });
}

/** Downloads the source of the runtime's version of Pillow with pip. Returns its folder of test images. */
async function downloadPillow(into: string): Promise<string> {
  const version = 'import PIL; print(PIL.__version__)';
  const pillow = `pillow==${execFileSync(python, ['-I', '-c', version], { encoding: 'utf8' }).trim()}`;
  const options = ['--quiet', '--no-deps', '--no-binary', 'pillow', '--dest', into];
  execFileSync(python, ['-I', '-m', 'pip', 'download', ...options, pillow], {
    env: toPipEnvironment(python, process.env),
    stdio: ['ignore', 'inherit', 'inherit'],
  });
  const archive = (await readdir(into)).find((name) => name.endsWith('.tar.gz'));
  if (archive === undefined) throw new Error(`pip did not download a source archive of ${pillow}.`);
  execFileSync('tar', ['-xzf', path.join(into, archive), '-C', into]);
  return path.join(into, archive.replace(/\.tar\.gz$/, ''), 'Tests/images');
}

async function compareAll(folder: string, scratch: string): Promise<Result[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const files = entries
    .filter((entry) => entry.isFile())
    .map((entry) => path.relative(folder, path.join(entry.parentPath, entry.name)))
    .sort();
  const loader = new ImageLoader();
  const viewer = new Viewer(python);
  const sent = path.join(scratch, 'sent');
  const results: Result[] = [];
  try {
    for (const file of files) {
      const source = path.join(folder, file);
      const loaded = await load(loader, await readFile(source));
      if (loaded.image !== undefined) await writeFile(sent, loaded.image.dataUrl.bytes);
      const seen = await viewer.compare({
        file: source,
        ...(loaded.image !== undefined && { sent, background: loaded.image.background ?? 'white' }),
      });
      results.push({ file, ...loaded, ...seen });
    }
  } finally {
    viewer.close();
    await loader.close();
  }
  return results;
}

async function load(
  loader: ImageLoader,
  bytes: Buffer,
): Promise<Pick<Result, 'image' | 'refusal'>> {
  const url = `data:application/octet-stream;base64,${bytes.toString('base64')}`;
  try {
    return { image: await loader.load(url, AbortSignal.timeout(60_000)) };
  } catch (refusal) {
    return { refusal: refusal instanceof Error ? refusal : new Error(String(refusal)) };
  }
}

function report(results: readonly Result[]): void {
  const compared = results
    .filter((result) => result.difference !== undefined)
    .sort((one, other) => (other.difference ?? 0) - (one.difference ?? 0));
  const accepted = results.filter(({ image }) => image !== undefined).length;
  print(`${results.length} files: ${accepted} accepted, ${results.length - accepted} refused.`);
  print(`\nMean difference from Pillow with ICC, of 255 (${compared.length} files):`);
  for (const { file, difference = 0 } of compared.slice(0, SHOWN)) {
    print(`${difference.toFixed(2).padStart(8)}  ${file}  ${EXPECTED_DIFFERENCES[file] ?? ''}`);
  }
  print('\nReasons for refusals, with the number of files (and how many of them Pillow can read):');
  const refused = Map.groupBy(
    results.filter(({ refusal }) => refusal !== undefined),
    ({ refusal }) => refusal?.message ?? '',
  );
  const groups = [...refused].sort(([, one], [, other]) => other.length - one.length);
  for (const [reason, group] of groups) {
    const readable = group.filter(({ error }) => error === undefined).length;
    print(`${String(group.length).padStart(5)} (${readable})  ${reason}`);
  }
}

/** Returns the problems of a result. */
function judge({ file, refusal, difference, error }: Result, usesPillow: boolean): string[] {
  if (refusal !== undefined) {
    if (!(refusal instanceof ImageError)) return [`${file}: ${refusal.stack ?? refusal.message}`];
    const isWrong = refusal.code === 'image_unreadable' && error === undefined;
    if (!isWrong) return [];
    return [`${file}: refused as damaged although Pillow can read it: ${refusal.message}`];
  }
  if ((difference ?? 0) <= MAX_DIFFERENCE || (usesPillow && file in EXPECTED_DIFFERENCES))
    return [];
  return [`${file}: differs from the original in a viewer by ${difference?.toFixed(2)}`];
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}
