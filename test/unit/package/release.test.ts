import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { changesOf, releaseFiles, writeRelease } from '../../../scripts/package/release.ts';

const CHANGELOG = `# Changelog

## Unreleased

### Added

- Something for later.

## 1.2.3 (2026-12-01)

### Added

- A panel in the browser.

### Fixed

- Updates are installed.

## 1.2.2

- The first one.
`;
const NOTES = `### Added

- A panel in the browser.

### Fixed

- Updates are installed.
`;
let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sightglass-release-'));
  for (const file of releaseFiles('1.2.3')) await writeFile(join(folder, file), `the ${file}`);
  const sha512 = createHash('sha512').update('the Sightglass-1.2.3-arm64.zip').digest('base64');
  await writeFile(
    join(folder, 'latest-mac.yml'),
    `version: 1.2.3\nfiles:\n  - url: Sightglass-1.2.3-arm64.zip\n    sha512: ${sha512}\n    size: 30\n`,
  );
});
afterEach(() => rm(folder, { recursive: true }));

const release = (changes = {}) => ({
  tag: 'v1.2.3',
  owner: 'someone',
  folder,
  packageVersion: '1.2.3',
  changelog: CHANGELOG,
  ...changes,
});
const read = (file: string) => readFile(join(folder, file), 'utf8');
const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');

test('the notes are the section of the version, with or without a date', () => {
  assert.equal(changesOf(CHANGELOG, '1.2.3'), NOTES);
  assert.equal(changesOf(CHANGELOG, '1.2.2'), '- The first one.\n');
  assert.equal(changesOf(CHANGELOG.replace('1.2.3 (', '[1.2.3] ('), '1.2.3'), NOTES);
});

test('a heading may be a link, of a pre-release, and of a file with the line ends of Windows', () => {
  const link = CHANGELOG.replace('1.2.3 (', '[1.2.3](https://example.test/v1.2.3) (');
  assert.equal(changesOf(link, '1.2.3'), NOTES);
  assert.equal(changesOf(CHANGELOG.replaceAll('\n', '\r\n'), '1.2.3'), NOTES);
  assert.equal(changesOf('## 2.0.0-beta-1.2\n\n- New.\n', '2.0.0-beta-1.2'), '- New.\n');
  assert.throws(() => changesOf(CHANGELOG, '1.2.3-beta.1'), /no section/);
});

test('a version without a section, or with an empty one, is refused', () => {
  assert.throws(() => changesOf(CHANGELOG, '1.2'), /no section “## 1\.2”/);
  assert.throws(() => changesOf(CHANGELOG, '12.2.3'), /no section/);
  assert.throws(
    () => changesOf('## 2.0.0\n\n## 1.2.3\n- x\n', '2.0.0'),
    /lists no changes for 2\.0\.0/,
  );
});

test('a release gets sums that shasum accepts, its notes, and a cask of its dmg', async () => {
  await writeRelease(release());
  const sums = (await read('SHA256SUMS.txt')).trimEnd().split('\n');
  assert.deepEqual(
    sums.map((line) => line.split('  ')[1]),
    releaseFiles('1.2.3'),
  );
  const dmg = sha256('the Sightglass-1.2.3-arm64.dmg');
  assert.equal(sums[0], `${dmg}  Sightglass-1.2.3-arm64.dmg`);
  assert.equal(await read('release-notes.md'), NOTES);
  const cask = await read('sightglass.rb');
  assert.match(cask, /^ {2}version "1\.2\.3"$/m);
  assert.match(cask, new RegExp(`^ {2}sha256 "${dmg}"$`, 'm'));
  assert.match(
    cask,
    /github\.com\/someone\/sightglass\/releases\/download\/v#\{version\}\/Sightgl/,
  );
});

test('a tag that is not the version of package.json is refused', async () => {
  await assert.rejects(
    writeRelease(release({ packageVersion: '1.2.4' })),
    /tag is v1\.2\.3, but package\.json has version 1\.2\.4/,
  );
});

test('a missing file is named', async () => {
  await rm(join(folder, 'Sightglass-1.2.3-arm64.zip.blockmap'));
  await assert.rejects(
    writeRelease(release()),
    /Missing in .*: Sightglass-1\.2\.3-arm64\.zip\.blockmap\./,
  );
});

test('an update file of another zip is refused: every update would fail', async () => {
  await writeFile(join(folder, 'Sightglass-1.2.3-arm64.zip'), 'signed again');
  await assert.rejects(writeRelease(release()), /latest-mac\.yml does not describe .*sha512/);
});
