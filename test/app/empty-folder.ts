import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import type { StubProcess } from '../support/stub-runtimes.ts';

const PREFIX = 'sightglass-empty-';

/** Creates a folder without a model, removed after the test. */
export async function makeEmptyFolder(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), PREFIX));
  t.after(() => rm(folder, { recursive: true }));
  return folder;
}

/** Loads any model but one in an empty folder, as the real launcher does. */
export function onStart(stub: StubProcess): void {
  if (stub.model.includes(PREFIX)) stub.fatal();
  else stub.ready();
}
