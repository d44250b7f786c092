import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { imagePart, post, question, textOf, userMessage } from '../support/chat.ts';
import { drawShape, toDataUrl } from '../support/pictures.ts';
import { type RunningService, startService } from '../support/service.ts';

let running: RunningService;
const red = toDataUrl(await drawShape({ shape: 'circle', color: 'red' }), 'image/png');
const blue = toDataUrl(await drawShape({ shape: 'square', color: 'blue' }), 'image/png');
before(async () => {
  running = await startService();
});
after(() => running.stop());

const ask = (messages: object[]) => post(running.url, { messages, temperature: 0 });
const call = {
  id: 'call_1',
  type: 'function',
  function: { name: 'look', arguments: '{"at":"it"}' },
};

const conversations: [string, object[], string][] = [
  [
    'a developer’s and a system’s instructions',
    [
      { role: 'developer', content: 'Answer truthfully.' },
      { role: 'system', content: [{ type: 'text', text: 'You describe images.' }] },
      userMessage('What is in this image?', red),
    ],
    'A red circle on a white background.',
  ],
  [
    'names of speakers, and nulls for what is not given',
    [{ ...userMessage('What is in this image?', red), name: 'ada', refusal: null }],
    'A red circle on a white background.',
  ],
  [
    'the bare URL that some clients send, and the detail of a picture',
    [
      {
        role: 'user',
        content: [
          { type: 'text', text: 'What is in this image?' },
          { type: 'image_url', image_url: blue },
        ],
      },
      { role: 'assistant', content: 'A blue square on a white background.' },
      {
        role: 'user',
        content: [
          { type: 'text', text: 'What is in this image?' },
          { type: 'image_url', image_url: { url: red, detail: 'high' } },
        ],
      },
    ],
    'A red circle on a white background.',
  ],
];
for (const [what, messages, expected] of conversations) {
  test(`${what} are accepted in messages`, async () => {
    assert.equal(textOf(await ask(messages)), expected);
  });
}

test('a turn with tools is accepted: null content, tool_calls, results with text and with an image', async () => {
  for (const result of ['A circle.', [{ type: 'text', text: 'Seen.' }, imagePart(blue)]]) {
    const { status } = await ask([
      userMessage('Look.', red),
      { role: 'assistant', content: null, tool_calls: [call] },
      { role: 'tool', tool_call_id: 'call_1', content: result },
    ]);
    assert.equal(status, 200);
  }
});

test('a picture returned by a tool is the last one that the model sees', async () => {
  const withTool = [
    { role: 'user', content: 'Look.' },
    { role: 'assistant', content: null, tool_calls: [call] },
    { role: 'tool', tool_call_id: 'call_1', content: [imagePart(blue)] },
  ];
  const answer = await ask([...withTool, { role: 'user', content: 'What color is it?' }]);
  assert.equal(answer.status, 200);
  assert.match(textOf(answer), /blue/i);
});

test('an earlier refusal of the model is part of the conversation', async () => {
  const refused = { role: 'assistant', content: [{ type: 'refusal', refusal: 'I cannot.' }] };
  const turns = [
    userMessage('Who is it?', red),
    refused,
    userMessage('What is in this image?', red),
  ];
  assert.equal((await ask(turns)).status, 200);
});

test('a picture with low detail is scaled down, and a header reports it', async () => {
  const large = toDataUrl(
    await drawShape({ shape: 'circle', color: 'red', width: 1024, height: 1024 }),
    'image/png',
  );
  const { headers } = await post(running.url, {
    messages: [
      { role: 'user', content: [{ type: 'image_url', image_url: { url: large, detail: 'low' } }] },
    ],
  });
  assert.equal(
    headers.get('x-sightglass-images'),
    'messages.0.content.0;original="1024x1024";sent="512x512"',
  );
  assert.equal(
    (await post(running.url, question(large))).headers.get('x-sightglass-images'),
    'messages.0.content.0;original="1024x1024";sent="1024x1024"',
  );
});
