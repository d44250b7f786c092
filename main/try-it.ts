import { randomUUID } from 'node:crypto';
import { createParser } from 'eventsource-parser';
import type { EventPayload } from '../server/contract.ts';
import type { CommandHandlers } from './commands.ts';

type AnswerEvent = EventPayload<'answer'>;

export interface TryItOptions {
  /** How to reach the service; undefined while it is off. */
  service: () => { url: string; apiKey: string | undefined } | undefined;
  send: (event: AnswerEvent) => void;
}

/** Answers the questions that a user asks in the panel's Try It view. */
export class TryIt {
  readonly #options: TryItOptions;
  readonly #pending = new Map<string, AbortController>();

  constructor(options: TryItOptions) {
    this.#options = options;
  }

  readonly handlers: Pick<CommandHandlers, 'ask' | 'stopAsking'> = {
    ask: (question) => {
      const service = this.#options.service();
      if (service === undefined) throw new Error('The server is off. Start it, then ask.');
      const id = randomUUID();
      const controller = new AbortController();
      this.#pending.set(id, controller);
      const { send } = this.#options;
      void askService({ id, ...question }, service, send, controller.signal).finally(() =>
        this.#pending.delete(id),
      );
      return id;
    },
    stopAsking: ({ id }) => this.#pending.get(id)?.abort(),
  };
}

interface Question {
  id: string;
  question: string;
  /** A data URL, or an empty string for no image. */
  image: string;
}

/**
 * Asks the model through the service's own API, as any client would, and streams the answer to `send`.
 * Never rejects: errors are sent too.
 */
async function askService(
  { id, question, image }: Question,
  { url, apiKey }: { url: string; apiKey: string | undefined },
  send: (event: AnswerEvent) => void,
  signal: AbortSignal,
): Promise<void> {
  const startedAt = performance.now();
  let tokens = 0;
  const onEvent = ({ data }: { data: string }) => {
    if (data === '[DONE]') return;
    const { error, choices, usage } = JSON.parse(data);
    if (error !== undefined) throw new Error(error.message);
    tokens = usage?.completion_tokens ?? tokens;
    const { content, reasoning_content: reasoning } = choices[0]?.delta ?? {};
    const text = `${reasoning ?? ''}${content ?? ''}`;
    if (text !== '') send({ kind: 'text', id, text });
  };
  try {
    const response = await fetch(`${url}/v1/chat/completions`, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        ...(apiKey === undefined ? {} : { authorization: `Bearer ${apiKey}` }),
      },
      body: JSON.stringify({
        stream: true,
        stream_options: { include_usage: true },
        messages: [
          {
            role: 'user',
            content: [
              ...(image === '' ? [] : [{ type: 'image_url', image_url: { url: image } }]),
              { type: 'text', text: question },
            ],
          },
        ],
      }),
      signal,
    });
    if (!response.ok) {
      const { error } = (await response.json()) as { error: { message: string } };
      throw new Error(error.message);
    }
    const parser = createParser({ onEvent });
    const decoder = new TextDecoder();
    for await (const bytes of response.body ?? []) {
      parser.feed(decoder.decode(bytes, { stream: true }));
    }
    send({ kind: 'end', id, tokens, seconds: (performance.now() - startedAt) / 1000 });
  } catch (error) {
    const message = signal.aborted ? 'Stopped.' : String((error as Error).message);
    send({ kind: 'error', id, message });
  }
}
