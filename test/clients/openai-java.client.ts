import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import { startService } from '../support/service.ts';
import { answer, image, tooHot } from './fixture.ts';

const cwd = fileURLToPath(new URL('java', import.meta.url));
/** `java Ask.java` compiles the file itself, which takes a JDK; `var` and the like take version 11. */
const OLDEST = 11;

const folder = await mkdtemp(join(tmpdir(), 'sightglass-java-'));
const { classpath, skip } = await findClasspath();
await rm(folder, { recursive: true });

/** The jars of pom.xml, downloaded by Maven; or why there are none. */
async function findClasspath(): Promise<{ classpath?: string; skip?: string }> {
  const javac = await execa('javac', ['-version'], { reject: false, all: true });
  const version = Number(/javac (\d+)/.exec(javac.all ?? '')?.[1] ?? 0);
  if (version < OLDEST)
    return { skip: `openai-java's test needs a JDK, version ${OLDEST} or newer` };
  if ((await execa('mvn', ['-version'], { reject: false })).failed)
    return { skip: 'Maven is not installed' };
  const file = join(folder, 'classpath');
  const maven = await execa(
    'mvn',
    ['--batch-mode', '--quiet', 'dependency:build-classpath', `-Dmdep.outputFile=${file}`],
    { cwd, reject: false, all: true, timeout: 240_000 },
  );
  if (maven.failed) {
    const reason = /ERROR.*/.exec(maven.all ?? '')?.[0] ?? maven.shortMessage;
    return { skip: `Maven cannot download openai-java: ${reason}` };
  }
  return { classpath: await readFile(file, 'utf8') };
}

test('openai-java reads answers, streams, calls and the fields of an error', {
  skip,
}, async (t) => {
  const running = await startService();
  t.after(() => running.stop());
  const { stdout } = await execa(
    'java',
    ['-cp', classpath ?? '', 'Ask.java', `${running.url}/v1`, image],
    { cwd, timeout: 240_000 },
  );
  assert.deepEqual(JSON.parse(stdout), {
    whole: answer,
    streamed: answer,
    responses: answer,
    calls: { color: 'green' },
    status: 400,
    type: 'invalid_request_error',
    param: 'temperature',
    message: `400: ${tooHot}`,
  });
});
