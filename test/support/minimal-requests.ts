import type { TestContext } from 'node:test';
import type { Settings } from '../../server/settings.ts';
import { startStubService } from './service.ts';

// Fields that vLLM, SGLang, llama.cpp, LM Studio, Ollama and OpenRouter document, on all three APIs. A
// stub runtime shows what reaches mlx_vlm.

const content = 'Hello';
export const apis = {
  chat: { path: '/v1/chat/completions', body: { messages: [{ role: 'user', content }] } },
  responses: { path: '/v1/responses', body: { input: content } },
  messages: {
    path: '/v1/messages',
    body: { messages: [{ role: 'user', content }], max_tokens: 100 },
  },
};
export type Api = keyof typeof apis;
export const names = Object.keys(apis) as Api[];

/** Starts a service with a stub runtime that is ready. `ask` sends fields beside a minimal body. */
export async function startReady(t: TestContext, overrides: Partial<Settings> = {}) {
  const running = await startStubService(t, overrides, (stub) =>
    stub.ready({
      template_names: ['messages', 'range', 'add_vision_id', 'enable_thinking', 'style'],
    }),
  );
  const stub = await running.stubs.at(0);
  await running.service.runtime.ensureReady(AbortSignal.timeout(10_000));
  let seen = 0;
  return {
    ...running,
    /** Posts the fields and answers. Returns what the runtime received, unless the request was refused. */
    async ask(api: Api, fields: object | string) {
      const { path, body } = apis[api];
      const text = typeof fields === 'string' ? fields : JSON.stringify({ ...body, ...fields });
      const headers = { 'content-type': 'application/json' };
      const pending = fetch(running.url + path, { method: 'POST', headers, body: text });
      const sent = stub.requests.at(seen);
      const first = await Promise.race([pending, sent]);
      if (!(first instanceof Response)) {
        seen += 1;
        stub.answer(first.id, 'Hi');
      }
      const response = await pending;
      return {
        status: response.status,
        ignored: response.headers.get('x-sightglass-ignored'),
        // biome-ignore lint/suspicious/noExplicitAny: a test reads any JSON
        answer: JSON.parse(await response.text()) as any,
        runtime: first instanceof Response ? undefined : first.body,
      };
    },
  };
}
