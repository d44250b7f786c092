import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import sharp from 'sharp';
import { post, question, textOf } from '../support/chat.ts';
import { drawShape, exchangeRedAndBlue, toDataUrl } from '../support/pictures.ts';
import { type RunningService, startService } from '../support/service.ts';

// The real model describes images as a viewer displays them.

let running: RunningService;
before(async () => {
  running = await startService();
});
after(() => running.stop());

const describe = async (image: Buffer) => {
  const answer = await post(running.url, question(toDataUrl(image, 'image/png')));
  return { text: textOf(answer), images: answer.headers.get('x-sightglass-images') ?? '' };
};

test('an embedded color profile is applied', async () => {
  const blue = await drawShape({ shape: 'circle', color: 'blue' });
  assert.equal((await describe(blue)).text, 'A blue circle on a white background.');
  const { text } = await describe(await exchangeRedAndBlue(blue));
  assert.equal(text, 'A red circle on a white background.');
});

test('a white shape on transparency is visible, and a header names the background', async () => {
  const svg =
    '<svg xmlns="http://www.w3.org/2000/svg" width="128" height="128"><circle cx="64" cy="64" r="38" fill="white"/></svg>';
  const { text, images } = await describe(await sharp(Buffer.from(svg)).png().toBuffer());
  assert.equal(text, 'A white circle on a black background.');
  assert.match(images, /background=black/);
});
