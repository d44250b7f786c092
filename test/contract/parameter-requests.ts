import { after, before } from 'node:test';
import { type ChangedModel, changeConfig, changedModel } from '../support/changed-model.ts';
import { endless, post, question, textOf, userMessage } from '../support/chat.ts';
import { drawShape, toDataUrl } from '../support/pictures.ts';
import { type RunningService, startService } from '../support/service.ts';

/** The context length of the model: shorter than the demo model’s, so that a test can fill it. */
export const CONTEXT = 256;
/** The tokens of an answer of `babble`. */
export const BABBLED = 24;
export const image = toDataUrl(await drawShape({ shape: 'circle', color: 'red' }), 'image/png');
/** The answer to `ask`. */
export const usual = 'A red circle on a white background.';

/** A service for the tests of a file, and questions about a red circle with extra parameters. */
export function useParameters() {
  let model: ChangedModel;
  let running: RunningService;
  before(async () => {
    model = await changedModel((folder) =>
      changeConfig(folder, { max_position_embeddings: CONTEXT }),
    );
    running = await startService({ modelPath: model.folder });
  });
  after(async () => {
    await running.stop();
    await model[Symbol.asyncDispose]();
  });

  const ask = (extra: object) => post(running.url, question(image, extra));
  return {
    url: () => running.url,
    ask,
    /** Asks a question that the model cannot answer, so that it repeats itself. */
    babble: (extra: object) =>
      post(running.url, {
        ...endless(image),
        messages: [userMessage('Count forever.', image)],
        max_tokens: BABBLED,
        ...extra,
      }),
    count: (extra: object) =>
      post(running.url, { messages: [userMessage('Count to one hundred.', image)], ...extra }),
    textAt: async (extra: object) => textOf(await ask(extra)),
    async tokensOf(extra: object): Promise<{ prompt: number; completion: number }> {
      const { usage } = (await ask(extra)).body;
      return { prompt: usage.prompt_tokens, completion: usage.completion_tokens };
    },
  };
}
