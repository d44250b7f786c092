import assert from 'node:assert/strict';
import { readdir, readFile } from 'node:fs/promises';
import { test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { createParser } from 'eventsource-parser';
import { execa } from 'execa';
import { endless, post, question, stream, textOf } from '../support/chat.ts';
import { readUntil } from '../support/output.ts';
import { drawShape, toDataUrl } from '../support/pictures.ts';
import { type RunningService, startService, until } from '../support/service.ts';

const redCircle = toDataUrl(await drawShape({ shape: 'circle', color: 'red' }), 'image/png');
const answer = 'A red circle on a white background.';

const forever = endless(redCircle);

/** What an event of a stream says of a failure. */
interface Told {
  type: string;
  error?: { type: string };
  response?: { error: { code: string } | null };
}

function pidOf({ service }: RunningService): number {
  const { state } = service.runtime;
  if (state.phase !== 'ready') throw new Error(`The runtime is ${state.phase}.`);
  return state.pid;
}

test('after kill -9 of the runtime the waiting and the running request are answered by the next', async (t) => {
  const running = await startService();
  t.after(() => running.stop());
  const first = post(running.url, { ...forever, max_tokens: 800 });
  await until(running, () => running.service.queue.stats.runningCount === 1);
  const waiting = [1, 2, 3].map(() => post(running.url, question(redCircle)));
  await until(running, () => running.service.queue.stats.queueSize === 3);
  const killed = pidOf(running);
  process.kill(killed, 'SIGKILL');
  assert.equal((await first).status, 200);
  assert.deepEqual((await Promise.all(waiting)).map(textOf), [answer, answer, answer]);
  assert.notEqual(pidOf(running), killed);
});

test('a stream that has begun when the runtime is killed ends with an error event', async (t) => {
  const running = await startService();
  t.after(() => running.stop());
  const events: string[] = [];
  for await (const event of stream(running.url, forever)) {
    if (events.length === 3) process.kill(pidOf(running), 'SIGKILL');
    events.push(event);
  }
  const { error } = JSON.parse(events.at(-1) ?? '');
  assert.deepEqual([error.type, error.code], ['server_error', 'runtime_crashed']);
  await running.runtime();
  assert.equal(textOf(await post(running.url, question(redCircle))), answer);
});

for (const [path, isOver] of [
  [
    '/v1/responses',
    (event: Told) =>
      event.type === 'response.failed' && event.response?.error?.code === 'server_error',
  ],
  ['/v1/messages', (event: Told) => event.type === 'error' && event.error?.type === 'api_error'],
] as const) {
  test(`a stream of ${path} that has begun when the runtime is killed ends as its clients know`, async (t) => {
    const running = await startService();
    t.after(() => running.stop());
    const content = [
      path === '/v1/messages'
        ? { type: 'image', source: { type: 'url', url: redCircle } }
        : { type: 'input_image', image_url: redCircle },
      {
        type: path === '/v1/messages' ? 'text' : 'input_text',
        text: 'Count to one hundred.',
      },
    ];
    const turns = [{ role: 'user', content }];
    const body = path === '/v1/messages' ? { messages: turns, max_tokens: 2000 } : { input: turns };
    const events: Told[] = [];
    const response = await fetch(`${running.url}${path}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ ...body, stream: true }),
    });
    const parser = createParser({
      onEvent: ({ data }) => {
        if (events.push(JSON.parse(data)) === 8) process.kill(pidOf(running), 'SIGKILL');
      },
    });
    const decoder = new TextDecoder();
    for await (const bytes of response.body ?? []) parser.feed(decoder.decode(bytes));
    assert.ok(events.slice(-2).some(isOver), JSON.stringify(events.slice(-2)));
    await running.runtime();
    assert.equal(textOf(await post(running.url, question(redCircle))), answer);
  });
}

test('a stream that has not begun when the runtime is killed is served by the next', async (t) => {
  const running = await startService();
  t.after(() => running.stop());
  const killed = pidOf(running);
  process.kill(killed, 'SIGSTOP'); // nothing is answered from now on
  const events: string[] = [];
  const streaming = (async () => {
    for await (const event of stream(running.url, question(redCircle))) events.push(event);
  })();
  await until(running, () => running.service.activity.streams === 1);
  process.kill(killed, 'SIGKILL');
  await streaming;
  assert.equal(events.at(-1), '[DONE]');
});

test('a runtime that stands still under a request is killed and the request answered by the next', async (t) => {
  const running = await startService({ hangTimeoutSeconds: 2 });
  t.after(() => running.stop());
  const stopped = pidOf(running);
  process.kill(stopped, 'SIGSTOP');
  const { runtime } = running.service;
  // The next one is new, and may be slow for that.
  runtime.onChange(
    ({ phase }) => phase === 'crashed' && runtime.setLimits({ hangTimeoutMs: 60_000 }),
  );
  assert.equal(textOf(await post(running.url, question(redCircle))), answer);
  assert.notEqual(pidOf(running), stopped);
});

test('a crash and another while the next one loads are recovered from', async (t) => {
  const running = await startService();
  t.after(() => running.stop());
  const { runtime } = running.service;
  process.kill(pidOf(running), 'SIGKILL');
  await until(running, () => runtime.state.phase === 'loading');
  if (runtime.state.phase === 'loading') process.kill(runtime.state.pid, 'SIGKILL');
  await until(running, () => runtime.state.phase === 'crashed');
  assert.equal(textOf(await post(running.url, question(redCircle))), answer);
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

/** Whether the process is there and not a zombie that nobody has waited for. */
async function isAlive(pid: number): Promise<boolean> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => undefined);
  return stat !== undefined && stat.slice(stat.lastIndexOf(')') + 2)[0] !== 'Z';
}
