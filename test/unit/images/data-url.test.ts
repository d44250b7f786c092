import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import fc from 'fast-check';
import { ImageLoader } from '../../../server/images/loader.ts';
import { ImageError } from '../../../server/images/rules.ts';

import { circlePng, toDataUrl } from '../../support/pictures.ts';
import { imageError } from './picture-server.ts';

const loader = new ImageLoader({ maxBytes: 100_000 });
const { signal } = new AbortController();
let png: Buffer;
let base64: string;
let standard: string;

before(async () => {
  png = await circlePng('red', { size: 64 });
  base64 = png.toString('base64');
  standard = toDataUrl(png, 'image/png');
});

test('an acceptable image is passed on unchanged', async () => {
  const { dataUrl, ...rest } = await loader.load(standard, signal);
  assert.equal(String(dataUrl), standard);
  assert.deepEqual(rest, { format: 'png', width: 64, height: 64 });
});

const SPELLINGS: [string, () => string][] = [
  ['a wrong media type', () => toDataUrl(png, 'image/jpeg')],
  ['no media type', () => `data:;base64,${base64}`],
  ['parameters', () => `data:image/png;name=a.png;charset=utf-8;base64,${base64}`],
  ['upper case and blanks', () => ` DATA:image/PNG; BASE64,${base64}`],
  ['line breaks', () => `data:image/png;base64,${base64.replace(/.{76}/g, '$&\r\n')}`],
  ['percent-encoding', () => `data:image/png;base64,${encodeURIComponent(base64)}`],
  ['the URL-safe alphabet', () => `data:image/png;base64,${png.toString('base64url')}`],
  ['no padding', () => `data:image/png;base64,${base64.replace(/=+$/, '')}`],
];
for (const [what, spell] of SPELLINGS) {
  test(`a data URL with ${what} becomes a standard one`, async () => {
    assert.equal(String((await loader.load(spell(), signal)).dataUrl), standard);
  });
}

const REFUSED: [string, () => string, RegExp][] = [
  ['without base64', () => 'data:image/svg+xml,%3Csvg%3E', /";base64"/],
  ['without a comma', () => 'data:image/png;base64', /has no comma/],
  ['without data', () => 'data:image/png;base64,', /got nothing/],
  ['with a quote in it', () => `${standard}"`, /not base64 at position/],
  ['with letters of other alphabets', () => `${standard.slice(0, 80)}ŁŁŁŁ`, /not base64/],
  ['with a bad percent-encoding', () => `${standard.slice(0, 82)}%zz`, /not base64/],
  ['cut within a byte', () => `data:image/png;base64,${base64.slice(0, 41)}`, /are missing/],
];
for (const [what, spell, message] of REFUSED) {
  test(`a data URL ${what} is refused with the reason`, async () => {
    await assert.rejects(loader.load(spell(), signal), { code: 'image_invalid_url', message });
  });
}

test('a data URL over the byte limit is refused without decoding it', async () => {
  await assert.rejects(loader.load(`data:image/png;base64,${'*'.repeat(140_000)}`, signal), {
    code: 'image_too_large',
    status: 413,
    message: /at most 100 kB/,
  });
});

const NO_URLS: [string, string][] = [
  ['', 'image_invalid_url'],
  ['  ', 'image_invalid_url'],
  ['/etc/passwd', 'image_invalid_url'],
  ['./picture.png', 'image_invalid_url'],
  ['picture.png', 'image_invalid_url'],
  ['http://', 'image_invalid_url'],
  ['http://user:secret@example.com/a.png', 'image_invalid_url'],
  ['file:///etc/passwd', 'image_scheme_not_allowed'],
  ['ftp://example.com/a.png', 'image_scheme_not_allowed'],
  ['blob:https://example.com/1', 'image_scheme_not_allowed'],
  ['javascript:alert(1)', 'image_scheme_not_allowed'],
  ['C:\\picture.png', 'image_scheme_not_allowed'],
];
for (const [url, code] of NO_URLS) {
  test(`${JSON.stringify(url)} is refused with an explanation of what is accepted`, async () => {
    await assert.rejects(loader.load(url, signal), (error: unknown) => {
      assert(error instanceof ImageError);
      assert.equal(error.code, code);
      assert.match(error.message, /http\(s\)|user name/);
      assert.doesNotMatch(error.message, /secret|passwd/);
      return true;
    });
  });
}

test('an image without its data: prefix is refused, and the error does not repeat it', async () => {
  await assert.rejects(loader.load(base64, signal), (error: Error) => {
    assert.match(error.message, /data:image\/png;base64,/);
    return imageError('image_invalid_url')(error) && !error.message.includes(base64.slice(0, 12));
  });
});

test('any data URL results in an image or an ImageError', async () => {
  const payload = fc.oneof(
    fc.base64String(),
    fc.string({ unit: 'binary' }),
    fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes).toString('base64')),
    // A real image with one byte changed, or truncated.
    fc.tuple(fc.nat(png.length - 1), fc.nat(255)).map(([at, byte]) => {
      const copy = Buffer.from(png);
      copy[at] = byte;
      return copy.toString('base64');
    }),
    fc.nat(png.length).map((length) => png.toString('base64', 0, length)),
  );
  const head = fc.oneof(
    fc.constant('data:image/png;base64,'),
    fc.string().map((s) => `data:${s}`),
  );
  await fc.assert(
    fc.asyncProperty(head, payload, async (start, rest) => {
      const loaded = await loader.load(start + rest, signal).catch((error: unknown) => error);
      if (loaded instanceof ImageError) {
        assert(rest.length < 8 || !loaded.message.includes(rest));
      } else {
        assert.equal(Object(loaded).format, 'png', String(loaded));
      }
    }),
    { numRuns: 400 },
  );
});
