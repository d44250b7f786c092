import { randomUUID } from 'node:crypto';
import { createParser } from 'eventsource-parser';
import type { EventPayload } from '../server/contract.ts';
import type { CommandHandlers } from './commands.ts';

type AnswerEvent = EventPayload<'answer'>;

export interface TryItOptions {
  /** Where the service answers; undefined while it is off. */
  service: () => { url: string; apiKey: string | undefined } | undefined;
  tell: (event: AnswerEvent) => void;
}

/** The questions that a person asks in the panel. */
export class TryIt {
  readonly #options: TryItOptions;
  readonly #asking = new Map<string, AbortController>();

  constructor(options: TryItOptions) {
    this.#options = options;
  }

  readonly handlers: Pick<CommandHandlers, 'ask' | 'stopAsking'> = {
    ask: (question) => {
      const service = this.#options.service();
      if (service === undefined) throw new Error('The server is off. Start it, then ask.');
      const id = randomUUID();
      const controller = new AbortController();
      this.#asking.set(id, controller);
      const { tell } = this.#options;
      void askService({ id, ...question }, service, tell, controller.signal).finally(() =>
        this.#asking.delete(id),
      );
      return id;
    },
    stopAsking: ({ id }) => this.#asking.get(id)?.abort(),
  };
}

interface Asked {
  id: string;
  question: string;
  /** A data URL, or empty for none. */
  image: string;
}

/**
 * Asks the model through the service's own API, as any client would, and tells the answer as it
 * comes. Never rejects: what goes wrong is told too.
 */
async function askService(
  { id, question, image }: Asked,
  { url, apiKey }: { url: string; apiKey: string | undefined },
  tell: (event: AnswerEvent) => void,
  signal: AbortSignal,
): Promise<void> {
  const begin = performance.now();
  let tokens = 0;
  const onEvent = ({ data }: { data: string }) => {
    if (data === '[DONE]') return;
    const { error, choices, usage } = JSON.parse(data);
    if (error !== undefined) throw new Error(error.message);
    tokens = usage?.completion_tokens ?? tokens;
    const { content, reasoning_content: reasoning } = choices[0]?.delta ?? {};
    const text = `${reasoning ?? ''}${content ?? ''}`;
    if (text !== '') tell({ kind: 'text', id, text });
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
    tell({ kind: 'end', id, tokens, seconds: (performance.now() - begin) / 1000 });
  } catch (error) {
    const message = signal.aborted ? 'Stopped.' : String((error as Error).message);
    tell({ kind: 'error', id, message });
  }
}
