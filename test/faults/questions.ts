import { userMessage } from '../support/chat.ts';
import { drawShape, type Shape, toDataUrl } from '../support/pictures.ts';
import { ErrorResponse, type Tally } from './clients.ts';

// Questions of every kind for all three APIs. All use greedy sampling, so their answers are reproducible.

export interface Question {
  label: string;
  path: string;
  body: Record<string, unknown>;
  /** The answer when no other request was running; undefined until the question has been asked. */
  answer?: string | undefined;
}

/**
 * Asks a question and records whether the answer is as expected, if that is known. Resolves with the answer
 * as JSON, without ids and times.
 */
export async function askQuestion(url: string, asked: Question, streamed: boolean, tally: Tally) {
  const { path, body, label, answer } = asked;
  const { id, end } = tally.track(`${streamed ? 'stream' : 'complete'}: ${label}`);
  try {
    const response = await fetch(`${url}${path}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'x-request-id': id },
      body: JSON.stringify({ ...body, stream: streamed }),
    });
    const text = await response.text().finally(end);
    const isStream = response.headers.get('content-type')?.startsWith('text/event-stream') ?? false;
    if (response.status !== 200) throw new ErrorResponse(JSON.parse(text).error);
    const actual = JSON.stringify(isStream ? parseStream(text) : parseBody(JSON.parse(text)));
    if (answer === undefined || actual === answer) tally.add('right');
    else {
      tally.add(
        'wrong',
        `${actual} instead of ${answer}, request ${id} ${label}, ` +
          `at the same time: ${tally.describeOverlapping(id)}`,
      );
    }
    return actual;
  } catch (error) {
    end();
    tally.addFailure(error as Error, label);
    return undefined;
  }
}

/** Returns the texts, calls and finish reasons in a response of any of the APIs. */
// biome-ignore lint/suspicious/noExplicitAny: bodies of three APIs
function parseBody(body: any): unknown {
  if (body.choices !== undefined) {
    // biome-ignore lint/suspicious/noExplicitAny: as above
    return body.choices.map(({ message, logprobs, finish_reason }: any) => ({
      text: message.content ?? '',
      // biome-ignore lint/suspicious/noExplicitAny: as above
      calls: (message.tool_calls ?? []).map(({ function: call }: any) => [
        call.name,
        call.arguments,
      ]),
      // biome-ignore lint/suspicious/noExplicitAny: as above
      tokens: (logprobs?.content ?? []).map(({ token }: any) => token),
      end: finish_reason,
    }));
  }
  if (body.output !== undefined) {
    return { text: body.output[0].content[0].text, end: body.status };
  }
  return { text: body.content[0].text, end: body.stop_reason };
}

/** Returns the same from a stream. */
function parseStream(text: string): unknown {
  const events = text.split('\n\n').flatMap((event) => /^data: (.*)$/m.exec(event)?.[1] ?? []);
  const chunks = events.filter((data) => data !== '[DONE]').map((data) => JSON.parse(data));
  const failed = chunks.find(({ error, type }) => error != null || type === 'response.failed');
  if (failed !== undefined)
    throw new ErrorResponse(failed.error ?? failed.response?.error ?? failed);
  const last = chunks.at(-1);
  if (last?.type === 'response.completed' || last?.type === 'response.incomplete') {
    return parseBody(last.response);
  }
  if (last?.type === 'message_stop') {
    return {
      text: chunks.map(({ delta }) => delta?.text ?? '').join(''),
      end: chunks.find(({ delta }) => delta?.stop_reason != null)?.delta.stop_reason,
    };
  }
  if (events.at(-1) !== '[DONE]') throw new Error('The stream ended early.');
  const choices = chunks.flatMap((chunk) => chunk.choices);
  const count = 1 + Math.max(...choices.map(({ index }) => index));
  return Array.from({ length: count }, (_, at) => {
    const own = choices.filter(({ index }) => index === at);
    const calls: [string, string][] = [];
    for (const { delta } of own) {
      for (const { index, function: call } of delta.tool_calls ?? []) {
        calls[index] ??= ['', ''];
        calls[index][0] += call.name ?? '';
        calls[index][1] += call.arguments ?? '';
      }
    }
    return {
      text: own.map(({ delta }) => delta.content ?? '').join(''),
      calls,
      tokens: own.flatMap(({ logprobs }) =>
        (logprobs?.content ?? []).map(({ token }: { token: string }) => token),
      ),
      end: own.findLast(({ finish_reason }) => finish_reason != null)?.finish_reason,
    };
  });
}

const SHAPES = ['circle', 'square', 'triangle', 'star', 'cross', 'heart'] satisfies Shape[];
const COLORS = ['red', 'blue', 'green', 'yellow', 'purple', 'black'];

const SCHEMA = {
  type: 'object',
  properties: { shape: { type: 'string' }, color: { type: 'string' } },
  required: ['shape', 'color'],
  additionalProperties: false,
};
const TOOL = { type: 'function', function: { name: 'report_shape', parameters: SCHEMA } };
const JSON_ANSWER = {
  type: 'json_schema',
  json_schema: { name: 'shape', strict: true, schema: SCHEMA },
};

/** Request parameters, by kind of question. */
const KINDS: Readonly<Record<string, object>> = {
  plain: {},
  cut: { max_tokens: 3 },
  logprobs: { logprobs: true, top_logprobs: 5 },
  twice: { n: 2 },
  schema: { response_format: JSON_ANSWER },
  tool: { tools: [TOOL], tool_choice: 'required' },
  penalties: { frequency_penalty: 0.5, presence_penalty: 0.5, max_tokens: 24 },
  repetition: { repetition_penalty: 1.2, max_tokens: 24 },
  stop: { stop: ['white'] },
  bias: { logit_bias: { 1018: -5 }, max_tokens: 24 },
};

/** Questions without a picture. Some answers have characters of several bytes. */
const TEXTS = [
  'Count to ten.',
  'Count to one hundred.',
  'Tell me a story.',
  'Hello!',
  'What is 3 + 4?',
  'What is your name?',
  'Repeat: éü漢字🙂',
];

const WHAT = 'What is in this image?';
const GREEDY = { temperature: 0 };

interface Picture {
  name: string;
  image: string;
}

export async function allQuestions(): Promise<Question[]> {
  const pictures: Picture[] = await Promise.all(
    COLORS.flatMap((color) =>
      SHAPES.map(async (shape, at) => {
        const size = [48, 64, 80][at % 3] ?? 64;
        const drawn = await drawShape({ shape, color, width: size, height: size });
        return { name: `${color} ${shape}`, image: toDataUrl(drawn, 'image/png') };
      }),
    ),
  );
  const about = pictures.flatMap((picture, at) => {
    const other = pictures[(at * 5 + 7) % pictures.length] ?? picture;
    return [...ofSeveralKinds(picture, at), ...(at % 4 === 0 ? inOtherForms(picture, other) : [])];
  });
  const texts = TEXTS.map((text) =>
    chat(`text: ${text}`, [{ role: 'user', content: text }], { max_tokens: 40 }),
  );
  // Prompts that are longer than a prefill chunk (2,048 tokens).
  const long = [1, 2].map((number) => {
    const system = { role: 'system', content: `${number} `.repeat(1050) };
    return chat(`long ${number}`, [system, { role: 'user', content: 'Count to ten.' }], {
      max_tokens: 20,
    });
  });
  return [...about, ...texts, ...long];
}

function chat(label: string, messages: readonly object[], more: object = {}): Question {
  return { label, path: '/v1/chat/completions', body: { messages, ...GREEDY, ...more } };
}

/** The plain question and a few other kinds. Over all pictures, every kind is used. */
function ofSeveralKinds({ name, image }: Picture, at: number): Question[] {
  return Object.entries(KINDS)
    .filter(([kind], nth) => kind === 'plain' || (at + nth) % 6 === 0)
    .map(([kind, more]) => chat(`${kind}: ${name}`, [userMessage(WHAT, image)], more));
}

/** A question about two pictures, a follow-up question, and questions through the other APIs. */
function inOtherForms({ name, image }: Picture, other: Picture): Question[] {
  const data = image.slice(image.indexOf(',') + 1);
  const responsesContent = [
    { type: 'input_image', image_url: image },
    { type: 'input_text', text: WHAT },
  ];
  const messagesContent = [
    { type: 'image', source: { type: 'base64', media_type: 'image/png', data } },
    { type: 'text', text: WHAT },
  ];
  return [
    chat(`two: ${name}, ${other.name}`, [
      userMessage('What is in the second image?', image, other.image),
    ]),
    chat(`next turn: ${name}`, [
      userMessage(WHAT, image),
      { role: 'assistant', content: `A ${name} on a white background.` },
      { role: 'user', content: 'What color is it?' },
    ]),
    {
      label: `responses: ${name}`,
      path: '/v1/responses',
      body: { input: [{ role: 'user', content: responsesContent }], store: false, ...GREEDY },
    },
    {
      label: `messages: ${name}`,
      path: '/v1/messages',
      body: { messages: [{ role: 'user', content: messagesContent }], max_tokens: 50, ...GREEDY },
    },
  ];
}
