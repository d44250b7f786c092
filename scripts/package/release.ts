import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { toCask } from './cask.ts';

// The macOS workflow runs `node scripts/package/release.ts v1.2.3 out` for a tag. Checks that the packaged
// files have that version, and writes the other files of the release: SHA256SUMS.txt, the release notes
// from CHANGELOG.md, and the Homebrew cask.

/** The heading of a version in CHANGELOG.md, optionally with a link and a date. */
const HEADING = /^## \[?v?(\d+\.\d+\.\d+(?:-[\w.-]+)?)\]?(?:\(\S*\))?(?:\s.*)?$/;

/** The packaged files of a release. The updater reads `latest-mac.yml` and the block maps. */
export function releaseFiles(version: string): string[] {
  const name = `Sightglass-${version}-arm64`;
  return [
    `${name}.dmg`,
    `${name}.dmg.blockmap`,
    `${name}.zip`,
    `${name}.zip.blockmap`,
    'latest-mac.yml',
  ];
}

export interface Release {
  tag: string;
  /** The repository's owner, for the URLs in the cask. */
  owner: string;
  /** The folder that contains the packaged files. */
  folder: string;
  packageVersion: string;
  changelog: string;
}

/** @throws Error if a file is missing, a version differs, or CHANGELOG.md does not cover the release */
export async function writeRelease(release: Release): Promise<void> {
  const { tag, owner, folder, packageVersion, changelog } = release;
  const version = tag.replace(/^v/, '');
  if (tag !== `v${packageVersion}`) {
    throw new Error(`The tag is ${tag}, but package.json has version ${packageVersion}.`);
  }
  const notes = changesOf(changelog, version);
  const files = releaseFiles(version);
  const present = await readdir(folder);
  const missing = files.filter((file) => !present.includes(file));
  if (missing.length > 0) throw new Error(`Missing in ${folder}: ${missing.join(', ')}.`);
  const hashes = await Promise.all(files.map((file) => hashOf(join(folder, file), 'sha256')));
  await checkUpdateFile(folder, version);
  const sums = files.map((file, at) => `${hashes[at]?.toString('hex')}  ${file}\n`);
  await writeFile(join(folder, 'SHA256SUMS.txt'), sums.join(''));
  await writeFile(join(folder, 'release-notes.md'), notes);
  const sha256 = hashes[0]?.toString('hex') ?? '';
  await writeFile(join(folder, 'sightglass.rb'), toCask({ version, owner, sha256 }));
}

/** Checks `latest-mac.yml`, with which the app verifies a downloaded update. */
async function checkUpdateFile(folder: string, version: string): Promise<void> {
  const text = await readFile(join(folder, 'latest-mac.yml'), 'utf8');
  const zip = releaseFiles(version)[2] ?? '';
  const sha512 = (await hashOf(join(folder, zip), 'sha512')).toString('base64');
  for (const expected of [`version: ${version}\n`, `url: ${zip}\n`, `sha512: ${sha512}\n`]) {
    if (!text.includes(expected)) {
      throw new Error(`latest-mac.yml does not describe ${zip}: “${expected.trim()}” is missing.`);
    }
  }
}

/**
 * Returns the section of a version in CHANGELOG.md, without its heading.
 * @throws Error if the section is missing or empty
 */
export function changesOf(changelog: string, version: string): string {
  const lines = changelog.split(/\r?\n/);
  const start = lines.findIndex((line) => HEADING.exec(line)?.[1] === version);
  if (start < 0) {
    throw new Error(
      `CHANGELOG.md has no section “## ${version}”. Rename “Unreleased” before you tag the release.`,
    );
  }
  const rest = lines.slice(start + 1);
  const end = rest.findIndex((line) => line.startsWith('## '));
  const text = (end < 0 ? rest : rest.slice(0, end)).join('\n').trim();
  if (!/^- /m.test(text)) throw new Error(`CHANGELOG.md lists no changes for ${version}.`);
  return `${text}\n`;
}

async function hashOf(path: string, algorithm: 'sha256' | 'sha512'): Promise<Buffer> {
  const hash = createHash(algorithm);
  for await (const chunk of createReadStream(path)) hash.update(chunk);
  return hash.digest();
}

if (import.meta.main) {
  const root = fileURLToPath(new URL('../../', import.meta.url));
  const [tag = '', folder = 'out'] = process.argv.slice(2);
  const { version } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8'));
  await writeRelease({
    tag,
    owner: process.env['GITHUB_REPOSITORY_OWNER'] ?? 'sightglass',
    folder,
    packageVersion: version,
    changelog: await readFile(join(root, 'CHANGELOG.md'), 'utf8'),
  });
}
