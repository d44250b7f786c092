import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { crc32 } from 'node:zlib';
import sharp from 'sharp';
import { ByteBudget } from '../../../server/byte-budget.ts';
import { FairSlots, ImageLoader } from '../../../server/images/loader.ts';

import { MAX_DOWNLOADS } from '../../../server/limits.ts';
import { serve } from '../../support/local-server.ts';
import { circlePng, toDataUrl } from '../../support/pictures.ts';
import { imageError } from './picture-server.ts';

const { signal } = new AbortController();

/** A PNG that takes its decoder `side`² × 6 bytes and some time. */
function heavyPng(side: number): Promise<Buffer> {
  return sharp({ create: { width: side, height: side, channels: 3, background: 'red' } })
    .toColourspace('rgb16')
    .png({ progressive: true, compressionLevel: 1 })
    .toBuffer();
}

test('a damaged large image does not affect the next ones', async () => {
  const loader = new ImageLoader({ maxPixels: 10_000 });
  const good = await sharp({
    create: { width: 4800, height: 4800, channels: 3, background: 'red' },
  })
    .png()
    .toBuffer();
  const damaged = good.subarray(0, good.length - 100);
  await assert.rejects(
    loader.load(toDataUrl(damaged, 'image/png'), signal),
    imageError('image_unreadable'),
  );
  assert.equal((await loader.load(toDataUrl(good, 'image/png'), signal)).width, 100);
});

test('small images of one client do not wait for the large ones of another', async () => {
  const loader = new ImageLoader({ maxPixels: 10_000 });
  const heavy = toDataUrl(await heavyPng(4000), 'image/png');
  const small = toDataUrl(await circlePng('red'), 'image/png');
  const memory = { grow: () => {}, shrink: () => {} };
  let left = 3;
  const large = [1, 2, 3].map(async () => {
    await loader.load(heavy, signal, false, { client: 'a', memory });
    left -= 1;
  });
  let loaded = 0;
  for (; left > 1; loaded += 1) await loader.load(small, signal, false, { client: 'b', memory });
  await Promise.all(large);
  assert.ok(loaded > 10, `${loaded} small images beside 3 large ones`); // in one lane, one for each
});

test('a decoder that ignores its timeout is abandoned a second later', async () => {
  const loader = new ImageLoader({ decodeSeconds: 0 }); // sharp takes it for no limit
  const slow = toDataUrl(await heavyPng(6000), 'image/png');
  const start = performance.now();
  await assert.rejects(loader.load(slow, signal), imageError('image_timeout'));
  assert.ok(performance.now() - start < 5000);
  await loader.close();
});

test('a decoder that times out is stopped, and the next image is decoded', async () => {
  const loader = new ImageLoader({ maxPixels: 4_000_000, decodeSeconds: 1 });
  const slow = toDataUrl(await heavyPng(6000), 'image/png');
  const start = performance.now();
  await assert.rejects(loader.load(slow, signal), imageError('image_timeout'));
  assert.ok(performance.now() - start < 5000);
  const small = toDataUrl(await circlePng('red'), 'image/png');
  assert.equal((await loader.load(small, signal)).width, 128);
  await loader.close();
});

test('an image that needs too much memory to decode is refused by its header', async () => {
  const bytes = await heavyPng(200);
  bytes.writeUInt32BE(11_500, 16);
  bytes.writeUInt32BE(11_500, 20);
  bytes.writeUInt32BE(crc32(bytes.subarray(12, 29)), 29);
  await assert.rejects(new ImageLoader().load(toDataUrl(bytes, 'image/png'), signal), {
    code: 'image_too_large',
    message: /takes up to \d+ MB of memory, more than the 537 MB allowed/,
  });
});

test('all requests share one limit on downloads', async (t) => {
  const png = await circlePng('red', { size: 32 });
  let [open, most] = [0, 0];
  const { url } = await serve(t, async (_, response) => {
    open += 1;
    most = Math.max(most, open);
    await setTimeout(100); // enough time for too many to arrive
    response.end(png, () => {
      open -= 1;
    });
  });
  const loader = new ImageLoader({ allowPrivateUrls: true });
  const memory = { grow: () => {}, shrink: () => {} };
  const requests = Array.from({ length: 8 }, (_, request) =>
    loader.loadAll(
      Array.from({ length: 6 }, (_, image) => ({ url: `${url}/${request}/${image}` })),
      signal,
      { client: `${request}`, memory },
    ),
  );
  assert.equal((await Promise.all(requests)).flat().length, 48);
  assert.equal(most, MAX_DOWNLOADS);
});

test('downloads count towards the memory for requests', async (t) => {
  const budget = new ByteBudget(150_000);
  const { url } = await serve(t, (_, response) => response.end(Buffer.alloc(200_000)));
  const loader = new ImageLoader({ allowPrivateUrls: true });
  const memory = budget.reserve();
  await assert.rejects(loader.load(url, signal, false, { client: '', memory }), {
    status: 429,
    code: 'too_many_bytes',
  });
  memory.release();
  assert.equal(budget.used, 0);
});

test('a loaded image counts with the bytes that are kept', async () => {
  const budget = new ByteBudget(1e6);
  const memory = budget.reserve();
  const bytes = await circlePng('red', { size: 400 });
  const loader = new ImageLoader({ maxPixels: 1024 });
  const { dataUrl } = await loader.load(toDataUrl(bytes, 'image/png'), signal, false, {
    client: '',
    memory,
  });
  assert.ok(Math.abs(budget.used - dataUrl.bytes.length) <= 20);
});

test('clients take turns, even if one queued many images first', async () => {
  const slots = new FairSlots(1);
  const order: string[] = [];
  const gate = Promise.withResolvers<void>();
  const run = (client: string, name: string) =>
    slots.run(client, signal, async () => {
      order.push(name);
      await gate.promise;
    });
  const all = [run('a', 'a1'), run('a', 'a2'), run('a', 'a3'), run('b', 'b1'), run('b', 'b2')];
  gate.resolve();
  await Promise.all(all);
  assert.deepEqual(order, ['a1', 'a2', 'b1', 'a3', 'b2']);
});

test('work that is aborted or fails frees its slot', async () => {
  const slots = new FairSlots(1);
  const gate = Promise.withResolvers<void>();
  const first = slots.run('a', signal, () => gate.promise);
  const abort = new AbortController();
  const gone = slots.run('b', abort.signal, async () => assert.fail('never runs'));
  const failing = slots.run('b', signal, async () => {
    throw new Error('broken');
  });
  const last = slots.run('c', signal, async () => 'served');
  abort.abort(new Error('the client has gone'));
  await assert.rejects(gone, { message: 'the client has gone' });
  gate.resolve();
  await first;
  await assert.rejects(failing, { message: 'broken' });
  assert.equal(await last, 'served');
  assert.equal(await slots.run('d', signal, async () => 'free'), 'free');
});
