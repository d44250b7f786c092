import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, type TestContext, test } from 'node:test';
import { type ScriptedService, startScriptedService } from '../support/scripted-service.ts';
import {
  AGENT_CONTEXT,
  calling,
  createFolder,
  findAgent,
  pictureServer,
  runAgent,
} from './agent.ts';
import { RecordingProxy } from './recording-proxy.ts';

/* Tests the real opencode with the real server and runtime, like Codex in `codex.client.ts`. */

const { program, skip } = findAgent('opencode');

let running: ScriptedService;
let proxy: RecordingProxy;
before(async () => {
  running = await startScriptedService('qwen3-vl', {}, AGENT_CONTEXT);
  proxy = await RecordingProxy.start(running.url);
});
after(async () => {
  proxy?.stop();
  await running?.stop();
});

const providers = {
  '@ai-sdk/openai-compatible': '/v1/chat/completions',
  '@ai-sdk/openai': '/v1/responses',
  '@ai-sdk/anthropic': '/v1/messages',
};
type Provider = keyof typeof providers;

async function startSession(t: TestContext, npm: Provider, mcp = {}) {
  const [home, cwd] = [await createFolder(t), await createFolder(t)];
  const settings = {
    autoupdate: false,
    share: 'disabled',
    provider: {
      sightglass: {
        npm,
        options: { baseURL: `${proxy.url}/v1`, apiKey: 'none' },
        models: {
          local: {
            attachment: true,
            tool_call: true,
            limit: { context: AGENT_CONTEXT, output: 4096 },
            modalities: { input: ['text', 'image'], output: ['text'] },
          },
        },
      },
    },
    // opencode's default prompt is long, which takes minutes on a busy machine.
    agent: { build: { prompt: 'You are a coding agent. Be brief.' }, title: { disable: true } },
    mcp,
  };
  await writeFile(join(cwd, 'opencode.json'), JSON.stringify(settings));
  const env = {
    OPENCODE_DISABLE_MODELS_FETCH: '1',
    OPENCODE_DISABLE_DEFAULT_PLUGINS: '1',
    OPENCODE_DISABLE_LSP_DOWNLOAD: '1',
  };
  const run = async (prompt: string, ...more: readonly string[]) => {
    proxy.requests.length = 0;
    const args = ['run', '--format', 'json', '--auto', '-m', 'sightglass/local', ...more, prompt];
    const { stdout, stderr } = await runAgent(program, args, { home, cwd, env });
    const parts = stdout
      .split('\n')
      .filter((line) => line.startsWith('{'))
      // biome-ignore lint/suspicious/noExplicitAny: parts have many forms
      .map((line): any => JSON.parse(line))
      .map(({ part }) => part ?? {});
    const texts = parts.filter(({ type }) => type === 'text').map(({ text }) => text.trim());
    const tools = parts.filter(({ type }) => type === 'tool');
    const requests = proxy.requests.filter(({ method }) => method === 'POST');
    t.diagnostic(requests.map(({ path, status }) => `${path} ${status}`).join(', '));
    return { texts, tools, requests, output: stdout + stderr };
  };
  return { run };
}

for (const [npm, path] of Object.entries(providers) as [Provider, string][]) {
  test(`opencode runs a command and continues the session, over ${path}`, {
    skip,
  }, async (t) => {
    const end = await running.script('All done.');
    const command = { command: `echo '${end}'`, description: 'Names the next answer' };
    const start = await running.script(calling('bash', command));
    const { run } = await startSession(t, npm);
    const { texts, tools, requests, output } = await run(`Do it. ${start}`);
    assert.deepEqual(
      [texts, tools.map(({ tool, state }) => [tool, state.output.trim()])],
      [['All done.'], [['bash', end]]],
      output,
    );
    assert.deepEqual([...new Set(requests.map((request) => request.path))], [path]);
    const more = await running.script('Nothing more.');
    const next = await run(`And then? ${more}`, '--continue');
    assert.deepEqual(next.texts, ['Nothing more.'], next.output);
  });
}

test('opencode sends the model a picture from an MCP server', { skip }, async (t) => {
  const end = await running.script('All done.');
  const start = await running.script(calling('pics_snap', {}));
  const pics = { type: 'local', command: pictureServer(end), enabled: true };
  const { run } = await startSession(t, '@ai-sdk/openai-compatible', { pics });
  const { texts, requests, output } = await run(`Do it. ${start}`);
  assert.deepEqual(texts, ['All done.'], output);
  assert.match(JSON.stringify(requests.at(-1)?.body.messages), /image_url/);
});
