import { eventsOf } from './api.ts';
import type { StubProcess } from './stub-runtimes.ts';

/** A chat completion without a picture. */
export const hello = { messages: [{ role: 'user', content: 'Hello' }] };

/** Of chat completions. */
export const PATH = '/v1/chat/completions';

/** The data of all events of a stream of chat completions. */
export async function streamed(url: string, body: object = hello) {
  return (await eventsOf(url, PATH, body)).map(({ data }) => data);
}

/** The text of a stream of chat completions. */
export const streamedText = (events: readonly { choices?: { delta: { content?: string } }[] }[]) =>
  events.map(({ choices }) => choices?.[0]?.delta.content ?? '').join('');

/** Answers all requests from now on. */
export async function answerAll(stub: StubProcess, text: string): Promise<void> {
  for (let index = stub.requests.all.length; ; index += 1) {
    stub.answer((await stub.requests.at(index)).id, text);
  }
}
