import { readFile } from 'node:fs/promises';
import { pathToFileURL } from 'node:url';
import pino from 'pino';
import { createRuntimeCommand } from '../../server/runtime/process.ts';
import { Service } from '../../server/service.ts';

import { Settings } from '../../server/settings.ts';
import { post, question, textOf } from '../support/chat.ts';
import { drawShape, toDataUrl } from '../support/pictures.ts';

// Run by moved.test.ts, without a network if possible: serves a model from a bundle, asks it about a
// picture, and prints the answer and the files that the runtime has mapped into memory.

const [resources = '', modelPath = ''] = process.argv.slice(2);
const settings = Settings.parse({ modelPath, port: 0 });
const command = createRuntimeCommand(pathToFileURL(`${resources}/`));
const service = new Service({
  settings,
  command,
  log: pino({ level: 'warn' }, pino.destination(2)),
});
const port = await service.start();
try {
  await service.runtime.ensureReady(AbortSignal.timeout(120_000));
  const picture = toDataUrl(await drawShape({ shape: 'circle', color: 'red' }), 'image/png');
  const answer = await post(`http://127.0.0.1:${port}`, question(picture));
  const { state } = service.runtime;
  const pid = state.phase === 'ready' ? state.pid : 0;
  // Only Linux has /proc.
  const maps = await readFile(`/proc/${pid}/maps`, 'utf8').catch(() => '');
  const files = maps.split('\n').map((line) => line.split(/\s+/)[5] ?? '');
  const mapped = [...new Set(files.filter((file) => file.startsWith('/')))];
  const outside = await fetch('http://192.0.2.1/', { signal: AbortSignal.timeout(3000) }).then(
    () => 'reached',
    () => 'unreachable',
  );
  process.stdout.write(
    JSON.stringify({ python: command.python, answer: textOf(answer), mapped, outside }),
  );
} finally {
  await service.stop();
}
