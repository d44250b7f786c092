import { createParser } from 'eventsource-parser';
import type { Answer } from './chat.ts';

/** Posts JSON to any path and reads the JSON answer. */
export async function postTo(url: string, path: string, body: object): Promise<Answer> {
  const response = await fetch(`${url}${path}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  return { status: response.status, headers: response.headers, body: await response.json() };
}

export interface NamedEvent {
  event: string | undefined;
  // biome-ignore lint/suspicious/noExplicitAny: a test reads any JSON
  data: any;
}

/** Yields the events of a stream, with their data parsed as JSON except `[DONE]`. */
export async function* follow(url: string, path: string, body: object): AsyncGenerator<NamedEvent> {
  const response = await fetch(`${url}${path}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ ...body, stream: true }),
  });
  const events: NamedEvent[] = [];
  const parser = createParser({
    onEvent: ({ event, data }) =>
      events.push({ event, data: data === '[DONE]' ? data : JSON.parse(data) }),
  });
  const decoder = new TextDecoder();
  for await (const bytes of response.body ?? []) {
    parser.feed(decoder.decode(bytes, { stream: true }));
    yield* events.splice(0);
  }
}

/** All events of a stream that ends. `onEvent` is called for each as it arrives. */
export async function eventsOf(
  url: string,
  path: string,
  body: object,
  onEvent: (event: NamedEvent) => void = () => {},
): Promise<NamedEvent[]> {
  const events: NamedEvent[] = [];
  for await (const event of follow(url, path, body)) {
    events.push(event);
    onEvent(event);
  }
  return events;
}
