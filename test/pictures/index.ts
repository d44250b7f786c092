import { execFileSync } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { toPipEnvironment } from '../../scripts/setup-python-settings.mjs';
import { ImageLoader, type LoadedImage } from '../../server/images/loader.ts';
import { ImageError } from '../../server/images/rules.ts';

import { EXPLAINED } from './explained.ts';
import { Viewer } from './viewer.ts';

// `npm run test:pictures`: sends the pictures of Pillow's tests through the image path and compares what
// the model sees with what a viewer shows that manages colors. `-- FOLDER` takes other pictures.

/** Of 255, averaged over all channels. JPEG and scaling stay below. */
const MAX_DIFFERENCE = 4;
const SHOWN = 20;

interface Result {
  file: string;
  image?: LoadedImage;
  refusal?: Error;
  /** Pillow's reading of the original against the image sent, or why it cannot read it. */
  difference?: number;
  error?: string;
}

const python = fileURLToPath(new URL('../../resources/runtime/.venv/bin/python', import.meta.url));
const { positionals } = parseArgs({ allowPositionals: true });
const work = await mkdtemp(path.join(tmpdir(), 'sightglass-pictures-'));
try {
  const isPillows = positionals[0] === undefined;
  const folder = positionals[0] ?? (await downloadPillow(work));
  const results = await compareAll(folder, work);
  report(results);
  const problems = results.flatMap((result) => judge(result, isPillows));
  for (const problem of problems) process.stderr.write(`✖ ${problem}\n`);
  process.exitCode = problems.length === 0 && results.length > 0 ? 0 : 1;
} finally {
  await rm(work, { recursive: true, force: true });
}

/** The source of the Pillow that the runtime uses, from the package index that pip is set up for. */
async function downloadPillow(into: string): Promise<string> {
  const version = 'import PIL; print(PIL.__version__)';
  const pillow = `pillow==${execFileSync(python, ['-I', '-c', version], { encoding: 'utf8' }).trim()}`;
  const options = ['--quiet', '--no-deps', '--no-binary', 'pillow', '--dest', into];
  execFileSync(python, ['-I', '-m', 'pip', 'download', ...options, pillow], {
    env: toPipEnvironment(python, process.env),
    stdio: ['ignore', 'inherit', 'inherit'],
  });
  const archive = (await readdir(into)).find((name) => name.endsWith('.tar.gz'));
  if (archive === undefined) throw new Error(`pip downloaded no source of ${pillow}.`);
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
  const answered = results.filter(({ image }) => image !== undefined).length;
  print(`${results.length} files: ${answered} answered, ${results.length - answered} refused.`);
  print(`\nMean difference from Pillow with ICC, of 255 (${compared.length} files):`);
  for (const { file, difference = 0 } of compared.slice(0, SHOWN)) {
    print(`${difference.toFixed(2).padStart(8)}  ${file}  ${EXPLAINED[file] ?? ''}`);
  }
  print('\nRefused, with the number of files (and how many of them Pillow reads):');
  const refused = Map.groupBy(
    results.filter(({ refusal }) => refusal !== undefined),
    ({ refusal }) => refusal?.message ?? '',
  );
  const groups = [...refused].sort(([, one], [, other]) => other.length - one.length);
  for (const [reason, group] of groups) {
    const read = group.filter(({ error }) => error === undefined).length;
    print(`${String(group.length).padStart(5)} (${read})  ${reason}`);
  }
}

/** What is wrong about a result, if anything is. */
function judge({ file, refusal, difference, error }: Result, isPillows: boolean): string[] {
  if (refusal !== undefined) {
    if (!(refusal instanceof ImageError)) return [`${file}: ${refusal.stack ?? refusal.message}`];
    const isWrong = refusal.code === 'image_unreadable' && error === undefined;
    if (!isWrong) return [];
    return [`${file}: Pillow reads it, but it is called damaged: ${refusal.message}`];
  }
  if ((difference ?? 0) <= MAX_DIFFERENCE || (isPillows && file in EXPLAINED)) return [];
  return [`${file}: differs from what a viewer shows by ${difference?.toFixed(2)}`];
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}
