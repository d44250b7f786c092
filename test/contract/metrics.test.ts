import assert from 'node:assert/strict';
import { test } from 'node:test';
import { endless, post, question } from '../support/chat.ts';
import { drawShape, toDataUrl } from '../support/pictures.ts';
import { startService, startStubService, until } from '../support/service.ts';

const image = toDataUrl(await drawShape({ shape: 'circle', color: 'red' }), 'image/png');

/** The samples of Prometheus' text format, by name with labels. */
async function scrape(url: string): Promise<Map<string, number>> {
  const text = await (await fetch(`${url}/metrics`)).text();
  const samples = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  return new Map(
    samples.map((line) => {
      const at = line.lastIndexOf(' ');
      return [line.slice(0, at), Number(line.slice(at + 1))];
    }),
  );
}

test('metrics report running, waiting and ended requests', async () => {
  const running = await startService({ maxConcurrency: 1, queueSize: 7 });
  try {
    const { url, service } = running;
    for (let count = 0; count < 2; count += 1) await post(url, question(image));
    const controller = new AbortController();
    const long = post(url, endless(image), { signal: controller.signal }).catch(() => {});
    await until(running, () => service.queue.stats.runningCount === 1);
    const waiting = post(url, question(image));
    await until(running, () => service.queue.stats.queueSize === 1);
    const busy = await scrape(url);
    const of = (...names: string[]) => names.map((name) => busy.get(`sightglass_${name}`));
    assert.deepEqual(of('queue_running', 'queue_waiting', 'streams_running'), [1, 1, 0]);
    assert.deepEqual(of('max_concurrency', 'max_queue_size', 'runtime_ready'), [1, 7, 1]);
    const ok = 'request_duration_seconds_count{kind="vision",stream="false",outcome="ok"}';
    assert.deepEqual(of(ok), [2]);
    assert.ok((busy.get('sightglass_tokens_total') ?? 0) >= 18);
    controller.abort();
    await Promise.all([long, waiting]);
    await service.activity.idle();
    const after = await scrape(url);
    assert.equal(after.get(`sightglass_${ok}`), 3);
    const gone = ok.replace('"ok"', '"client_gone"');
    assert.equal(after.get(`sightglass_${gone}`), 1);
    assert.equal(after.get('sightglass_request_wait_seconds_count'), 4);
  } finally {
    await running.stop();
  }
});

test('metrics have the content type of Prometheus, and require the API key if one is set', async (t) => {
  const { url } = await startStubService(t, { apiKey: 'secret' });
  assert.equal((await fetch(`${url}/metrics`)).status, 401);
  const headers = { authorization: 'Bearer secret' };
  const response = await fetch(`${url}/v1/metrics`, { headers });
  assert.equal(response.headers.get('content-type'), 'text/plain; version=0.0.4; charset=utf-8');
});
