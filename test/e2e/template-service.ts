import { after, before } from 'node:test';
import type { postTo } from '../support/api.ts';
import type { ChangedModel } from '../support/changed-model.ts';
import { applySettings, type RunningService, startService } from '../support/service.ts';
import { createTemplateModel, templates } from '../support/template-model.ts';

export type Template = keyof typeof templates;

/** A service for the tests of a file. Returns a function that makes it serve a chat template. */
export function useTemplates(): (name: Template) => Promise<RunningService> {
  let running: RunningService;
  let current: Template = 'strict';
  const models = new Map<Template, ChangedModel>();

  async function settingsFor(name: Template) {
    const model = models.get(name) ?? (await createTemplateModel(templates[name]));
    models.set(name, model);
    return { modelPath: model.folder, allowTextOnly: true };
  }
  before(async () => {
    running = await startService(await settingsFor(current));
  });
  after(async () => {
    await running.stop();
    await Promise.all([...models.values()].map((model) => model[Symbol.asyncDispose]()));
  });
  return async (name) => {
    if (name !== current) {
      current = name;
      await applySettings(running, await settingsFor(name));
      await running.runtime();
    }
    return running;
  };
}

/** The path of each API. */
export const paths = {
  chat: '/v1/chat/completions',
  messages: '/v1/messages',
  responses: '/v1/responses',
};
export type Api = keyof typeof paths;
export const apis = Object.keys(paths) as Api[];
/** A message of the user. */
export const user = (content: unknown) => ({ role: 'user', content });
/** A message of the assistant. */
export const assistant = (content: unknown, more: object = {}) => ({
  role: 'assistant',
  content,
  ...more,
});
/** Limits the tokens of an answer. */
export const limited = (api: Api, max: number) =>
  api === 'responses' ? { max_output_tokens: max } : { max_tokens: max };

/** A function tool in the form of an API. */
export const tool = (api: Api) => {
  const [name, schema] = ['look', { type: 'object', properties: { at: { type: 'integer' } } }];
  if (api === 'chat') return { type: 'function', function: { name, parameters: schema } };
  if (api === 'messages') return { name, input_schema: schema };
  return { type: 'function', name, parameters: schema };
};
/** All tokens of the prompt; Anthropic's `input_tokens` leave out those from the cache. */
export const promptOf = ({ usage }: Awaited<ReturnType<typeof postTo>>['body']) =>
  usage.input_tokens + (usage.cache_read_input_tokens ?? 0);
