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
  // biome-ignore lint/suspicious/noExplicitAny: a test reads whatever the server said
  data: any;
}

/** The events of a stream, their data read as JSON but for `[DONE]`. */
export async function eventsOf(url: string, path: string, body: object): Promise<NamedEvent[]> {
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
  parser.feed(await response.text());
  return events;
}
