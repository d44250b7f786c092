import assert from 'node:assert/strict';
import { test } from 'node:test';
import sharp from 'sharp';
import { addressOf } from '../../renderer/address.ts';
import { toAge, toDuration } from '../../renderer/format.ts';
import { movesUntil, WINDOW_MS } from '../../renderer/load-window.ts';
import { toSnippets } from '../../renderer/snippets.ts';
import { snapshot } from '../support/snapshots.ts';

const sample = (at: number, running: number, tokensPerSecond = 0) => ({
  at,
  running,
  waiting: 0,
  tokensPerSecond,
});

test('a chart moves while there is load, and until the last of it has left', () => {
  const ofSamples = [
    [],
    [sample(1000, 0)],
    [sample(1000, 0), sample(2000, 1)],
    [sample(1000, 1), sample(2000, 0), sample(9000, 0)],
    [sample(1000, 0, 5), sample(2000, 0)],
  ].map(movesUntil);
  const left = 2000 + WINDOW_MS;
  assert.deepEqual(ofSamples, [-Infinity, -Infinity, Infinity, left, left]);
});

test('a duration is never rounded up to the next unit and still named by the old one', () => {
  assert.deepEqual([999.4, 999.6, 9949, 9960, 59_600].map(toDuration), [
    '999 ms',
    '1.0 s',
    '9.9 s',
    '10 s',
    '1 min',
  ]);
});

test('an age has few characters, however old it is', () => {
  assert.deepEqual([-20, 599_000, 3_599_000, 5_400_000].map(toAge), [
    '0 ms',
    '9 min 59 s',
    '59 min',
    '1 h 30 min',
  ]);
});

test('the address of a server that is off is the one it will have, if that is known', () => {
  const off = (port: number) => {
    const server = { phase: 'off' as const };
    return addressOf({ server, settings: { ...snapshot().settings, port } });
  };
  assert.deepEqual(
    [addressOf(snapshot()), off(9000), off(0)],
    ['http://localhost:8000', 'http://localhost:9000', undefined],
  );
});

test('every snippet of a program has the picture in it, and it is one', async () => {
  const snippets = toSnippets({ url: 'http://localhost:8000', apiKey: undefined, model: 'm' });
  const pictures = snippets
    .map(({ text }) => /iVBOR[A-Za-z0-9+/]+=*/.exec(text)?.[0])
    .filter((each) => each !== undefined);
  assert.equal(pictures.length, 4);
  for (const picture of pictures) {
    const { format, width } = await sharp(Buffer.from(picture, 'base64')).metadata();
    assert.deepEqual([format, width], ['png', 64]);
  }
});

test('a key that reads “not-needed” is sent all the same', () => {
  const curl = (apiKey: string | undefined) =>
    toSnippets({ url: 'http://localhost:8000', apiKey, model: 'm' })[0]?.text ?? '';
  assert.match(curl('not-needed'), /Authorization: Bearer not-needed/);
  assert.doesNotMatch(curl(undefined), /Authorization/);
});
