import assert from 'node:assert/strict';
import { readdir, readFile } from 'node:fs/promises';
import { test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { execa } from 'execa';
import { eventsOf, type NamedEvent } from '../support/api.ts';
import { endless, post, question, textOf } from '../support/chat.ts';
import { readUntil } from '../support/output.ts';
import { until } from '../support/service.ts';
import { answer, redCircle, useRecoveringService } from './crash-fixture.ts';

const recovering = useRecoveringService();
const forever = endless(redCircle);

test('after kill -9 of the runtime, the next one answers the waiting and the running request', async () => {
  const first = post(recovering.running.url, { ...forever, max_tokens: 400 });
  await until(recovering.running, () => recovering.running.service.queue.stats.runningCount === 1);
  const waiting = [1, 2, 3].map(() => post(recovering.running.url, question(redCircle)));
  await until(recovering.running, () => recovering.running.service.queue.stats.queueSize === 3);
  const killed = recovering.pid();
  process.kill(killed, 'SIGKILL');
  assert.equal((await first).status, 200);
  assert.deepEqual((await Promise.all(waiting)).map(textOf), [answer, answer, answer]);
  assert.notEqual(recovering.pid(), killed);
});

const text = 'Count to one hundred.';
const source = { type: 'url', url: redCircle };
const input = [
  { type: 'input_image', image_url: redCircle },
  { type: 'input_text', text },
];
const content = [
  { type: 'image', source },
  { type: 'text', text },
];
/** An endless stream of each API, and how it must end. */
const streams: [path: string, body: object, isFailure: (last: NamedEvent) => boolean][] = [
  [
    '/v1/chat/completions',
    forever,
    ({ data }) => data.error?.type === 'server_error' && data.error.code === 'runtime_crashed',
  ],
  [
    '/v1/responses',
    { input: [{ role: 'user', content: input }] },
    ({ data }) => data.type === 'response.failed' && data.response.error.code === 'server_error',
  ],
  [
    '/v1/messages',
    { messages: [{ role: 'user', content }], max_tokens: 2000 },
    ({ data }) => data.type === 'error' && data.error.type === 'api_error',
  ],
];

test('streams that have started when the runtime is killed end with the error event of their API', async () => {
  const killed = recovering.pid();
  let started = 0;
  const ended = await Promise.all(
    streams.map(async ([path, body]) => {
      let events = 0;
      return eventsOf(recovering.running.url, path, body, () => {
        events += 1;
        if (events === 8) started += 1;
        if (events === 8 && started === streams.length) process.kill(killed, 'SIGKILL');
      });
    }),
  );
  for (const [index, [path, , isFailure]] of streams.entries()) {
    const last = ended[index]?.slice(-2) ?? [];
    assert.ok(last.some(isFailure), `${path}: ${JSON.stringify(last)}`);
  }
  await recovering.running.runtime();
  assert.equal(textOf(await post(recovering.running.url, question(redCircle))), answer);
});

test('kill -9 of the service ends the runtime', {
  skip: process.platform !== 'linux' && 'reads /proc',
}, async () => {
  const child = execa(process.execPath, ['server/cli.ts', '--port', '0', '--host', '127.0.0.1'], {
    buffer: false,
    reject: false,
    forceKillAfterDelay: false,
  });
  await readUntil(child.stdout, /Logs: /); // it is ready
  const runtimePid = await childOf(child.pid ?? 0);
  const startedAt = performance.now();
  child.kill('SIGKILL');
  await child;
  while (await isAlive(runtimePid)) {
    assert.ok(performance.now() - startedAt < 20_000, 'the runtime is still there after 20 s');
    await setTimeout(50); // the end of a grandchild cannot be awaited
  }
});

async function childOf(parent: number): Promise<number> {
  for (const entry of await readdir('/proc')) {
    if (!/^\d+$/.test(entry)) continue;
    const stat = await readFile(`/proc/${entry}/stat`, 'utf8').catch(() => '');
    if (stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1] === String(parent))
      return Number(entry);
  }
  throw new Error(`${parent} has no child.`);
}

/** Whether the process is there and not a zombie that has not been reaped. */
async function isAlive(pid: number): Promise<boolean> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => undefined);
  return stat !== undefined && stat.slice(stat.lastIndexOf(')') + 2)[0] !== 'Z';
}
