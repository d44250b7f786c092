import assert from 'node:assert/strict';
import { drawShape, toDataUrl } from '../support/pictures.ts';

const image = toDataUrl(await drawShape({ shape: 'circle', color: 'red' }), 'image/png');

/** Asks what is in a picture of a red circle. */
export function ask(url: string, extra: object = {}, headers: Record<string, string> = {}) {
  const content = [
    { type: 'image_url', image_url: { url: image } },
    { type: 'text', text: 'What is in this image?' },
  ];
  return fetch(`${url}/v1/chat/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify({ messages: [{ role: 'user', content }], ...extra }),
  });
}

/** The text of an answer, streamed or not. Throws unless it is complete. */
export async function answerOf(asked: Promise<Response>): Promise<string> {
  const response = await asked;
  const text = await response.text();
  assert.equal(response.status, 200, text);
  if (response.headers.get('content-type')?.startsWith('application/json')) {
    return JSON.parse(text).choices[0].message.content;
  }
  const events = text.split('\n\n').filter((block) => block.startsWith('data: '));
  assert.equal(events.pop(), 'data: [DONE]');
  const deltas = events.map((event) => JSON.parse(event.slice(6)).choices[0].delta);
  return deltas.map(({ content }) => content ?? '').join('');
}

/** The answer to `ask`. */
export const usual = 'A red circle on a white background.';

/** Makes a request generate until its limit of tokens. */
export const long = { logit_bias: { 1016: -100, 1018: -100 }, max_tokens: 200 };
