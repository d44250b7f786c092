import { createParser } from 'eventsource-parser';

export interface Answer {
  status: number;
  headers: Headers;
  // biome-ignore lint/suspicious/noExplicitAny: a test reads any JSON
  body: any;
}

const textPart = (text: string) => ({ type: 'text', text });
export const imagePart = (url: string) => ({ type: 'image_url', image_url: { url } });

/** A user message with pictures and a question, as OpenAI's API reference has it. */
export function userMessage(question: string, ...images: string[]) {
  return { role: 'user', content: [...images.map(imagePart), textPart(question)] };
}

/** The body of the seed's example: one picture, one question. */
export function question(image: string, extra: object = {}) {
  return { messages: [userMessage('What is in this image?', image)], ...extra };
}

/** A question whose answer never ends: the demo model's two end tokens are forbidden. */
export function endless(image: string) {
  return question(image, { max_tokens: 100_000, logit_bias: { 1016: -100, 1018: -100 } });
}

/** Posts a chat completion and reads the JSON answer. */
export async function post(
  url: string,
  body: unknown,
  init: { signal?: AbortSignal; headers?: Record<string, string> } = {},
): Promise<Answer> {
  const response = await fetch(`${url}/v1/chat/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...init.headers },
    body: typeof body === 'string' ? body : JSON.stringify(body),
    signal: init.signal ?? null,
  });
  return { status: response.status, headers: response.headers, body: await response.json() };
}

/** The text of a whole answer. */
export function textOf({ body }: Answer): string {
  return body.choices?.[0]?.message?.content ?? JSON.stringify(body);
}

/** Posts a streaming chat completion. Yields the data of its events, including `[DONE]`. */
export async function* stream(
  url: string,
  body: object,
  init: { signal?: AbortSignal } = {},
): AsyncGenerator<string> {
  const response = await fetch(`${url}/v1/chat/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ ...body, stream: true }),
    signal: init.signal ?? null,
  });
  if (response.status !== 200 || response.body === null) throw new Error(await response.text());
  const events: string[] = [];
  const parser = createParser({ onEvent: ({ data }) => events.push(data) });
  const decoder = new TextDecoder();
  for await (const bytes of response.body) {
    parser.feed(decoder.decode(bytes, { stream: true }));
    yield* events.splice(0);
  }
}

/** The whole text of a streaming chat completion. */
export async function streamedText(url: string, body: object): Promise<string> {
  let text = '';
  for await (const event of stream(url, body)) {
    if (event === '[DONE]') break;
    const chunk = JSON.parse(event);
    if (chunk.error !== undefined) throw new Error(chunk.error.message);
    text += chunk.choices[0]?.delta.content ?? '';
  }
  return text;
}

/** What the queue statistics say of the vision queue. */
export async function statsOf(url: string) {
  const response = await fetch(`${url}/v1/queue/stats`);
  const { queue_stats } = (await response.json()) as {
    queue_stats: { vision_queue: { active_requests: number } };
  };
  return queue_stats.vision_queue;
}
