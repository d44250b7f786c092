import assert from 'node:assert/strict';
import { once } from 'node:events';
import { before, test } from 'node:test';
import sharp from 'sharp';
import { ImageLoader } from '../../../server/images/loader.ts';
import { Bytes, LongText } from '../../../server/long-text.ts';
import { serve } from '../../support/local-server.ts';
import { circlePng, toDataUrl } from '../../support/pictures.ts';
import { imageError, nextConnectionClosed } from './picture-server.ts';

const loader = new ImageLoader({ allowPrivateUrls: true });
const { signal } = new AbortController();
let small: Buffer;
let large: Buffer;

before(async () => {
  small = await circlePng('red', { size: 32 });
  large = await circlePng('red', { size: 64 });
});

const wanted = (urls: readonly string[]) => urls.map((url) => ({ url }));

test('images are returned in the order of their URLs, and repeated ones are downloaded once', async (t) => {
  const asked: unknown[] = [];
  const { url } = await serve(t, (request, response) => {
    asked.push(request.url);
    response.end(request.url === '/small' ? small : large);
  });
  const inline = toDataUrl(large, 'image/png');
  const names = [`${url}/small`, inline, `${url}/large`, `${url}/small`, inline];
  const loaded = await loader.loadAll(wanted(names), signal);
  assert.deepEqual(
    loaded.map(({ width }) => width),
    [32, 64, 64, 32, 64],
  );
  assert.deepEqual(asked.sort(), ['/large', '/small']);
});

test('without URLs there are no images', async () => {
  assert.deepEqual(await loader.loadAll([], signal), []);
});

test('six images are downloaded concurrently', async (t) => {
  let open = 0;
  let most = 0;
  const six = Promise.withResolvers<void>();
  const { url } = await serve(t, async (_, response) => {
    open++;
    most = Math.max(most, open);
    if (open === 6) six.resolve();
    await six.promise;
    response.end(small, () => open--);
  });
  const names = Array.from({ length: 20 }, (_, i) => `${url}/${i}`);
  assert.equal((await loader.loadAll(wanted(names), signal)).length, 20);
  assert.equal(most, 6);
});

test('the first failure reports its index and aborts the other downloads', async (t) => {
  const stuck = Promise.withResolvers<void>();
  const { url } = await serve(t, async (request, response) => {
    if (request.url === '/stuck') {
      stuck.resolve();
      response.write(small.subarray(0, 20));
      await once(response, 'close');
      stuckClosed.resolve();
    } else {
      await stuck.promise;
      response.writeHead(404).end();
    }
  });
  const stuckClosed = Promise.withResolvers<void>();
  await assert.rejects(
    loader.loadAll(
      wanted([toDataUrl(small, 'image/png'), `${url}/stuck`, `${url}/missing`]),
      signal,
    ),
    { code: 'image_http_error', index: 2 },
  );
  await stuckClosed.promise;
});

test('a repeated URL that fails reports its first index', async () => {
  const good = toDataUrl(small, 'image/png');
  await assert.rejects(loader.loadAll(wanted([good, 'file:///a', 'file:///a']), signal), {
    index: 1,
  });
});

test('an abort ends all downloads with its reason', async (t) => {
  const abort = new AbortController();
  const { server, url } = await serve(t, () => {});
  const loading = loader.loadAll(wanted([`${url}/1`, `${url}/2`]), abort.signal);
  await once(server, 'request');
  abort.abort(new Error('the client has gone'));
  await assert.rejects(loading, { message: 'the client has gone' });
});

test('nothing is loaded if the signal is already aborted', async () => {
  await assert.rejects(
    loader.load(toDataUrl(small, 'image/png'), AbortSignal.abort(new Error('too late'))),
    { message: 'too late' },
  );
});

test('closing aborts all loading and can be repeated', async (t) => {
  const closing = new ImageLoader({ allowPrivateUrls: true });
  const { server, url } = await serve(t, () => {});
  const closed = nextConnectionClosed(server);
  const loading = closing.load(url, signal);
  await once(server, 'request');
  await Promise.all([assert.rejects(loading, /closed/), closing.close()]);
  await closing.close();
  await closed;
});

test('a low-detail image is scaled to at most 512 by 512, independent of the same image in full', async () => {
  const large = await sharp({
    create: { width: 1200, height: 800, channels: 3, background: 'red' },
  })
    .png()
    .toBuffer();
  const url = toDataUrl(large, 'image/png');
  const loaded = await loader.loadAll([{ url }, { url, isLowDetail: true }], signal);
  assert.deepEqual(
    loaded.map(({ width, height }) => [width, height]),
    [
      [1200, 800],
      [627, 418],
    ],
  );
});

test('a string that is too long for a URL is neither parsed nor resolved', async () => {
  const lookup = () => assert.fail('it was looked up');
  const checked = new ImageLoader({}, { lookup });
  const host = Buffer.from(`http://${'a'.repeat(1e6)}`);
  const bytes = new Bytes();
  bytes.append(host);
  for (const url of [host.toString(), new LongText(bytes, true)]) {
    await assert.rejects(checked.load(url, signal), imageError('image_invalid_url'));
  }
});
