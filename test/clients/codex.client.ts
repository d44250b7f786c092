import assert from 'node:assert/strict';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, type TestContext, test } from 'node:test';
import { eventsOf } from '../support/api.ts';
import {
  type ModelKind,
  type ScriptedService,
  startScriptedService,
} from '../support/scripted-service.ts';
import {
  AGENT_CONTEXT,
  calling,
  createFolder,
  findAgent,
  pictureServer,
  runAgent,
} from './agent.ts';
import { RecordingProxy } from './recording-proxy.ts';

/*
 * Tests the real Codex with the real server and runtime. The model's answers are scripted: a prompt or a tool
 * result contains the id of the next answer.
 */

const { program, skip } = findAgent('codex');
/** With this model, Codex sends custom tools at the top level. By default, they are in a namespace. */
const WITH_CUSTOM_TOOLS = 'gpt-5.5';

interface Served {
  running: ScriptedService;
  proxy: RecordingProxy;
}

async function serve(kind: ModelKind): Promise<Served> {
  const running = await startScriptedService(kind, {}, AGENT_CONTEXT);
  return { running, proxy: await RecordingProxy.start(running.url) };
}

async function stop({ running, proxy }: Served): Promise<void> {
  proxy.stop();
  await running.stop();
}

let served: Served;
let running: ScriptedService;
before(async () => {
  served = await serve('qwen3-vl');
  running = served.running;
});
after(() => stop(served));

interface CodexEvent {
  type: string;
  // biome-ignore lint/suspicious/noExplicitAny: items have many forms
  item?: any;
}

/** Creates the settings and the folder for a session of Codex. `run` runs one command in it. */
async function startSession(
  t: TestContext,
  { model = '', mcp = '', openai = false, proxy = served.proxy } = {},
) {
  const [home, cwd] = [await createFolder(t), await createFolder(t)];
  await mkdir(join(home, '.codex'));
  await writeFile(join(home, 'brief.md'), 'You are a coding agent. Be brief.');
  const provider = `[model_providers.sightglass]
name = "Sightglass"
base_url = "${proxy.url}/v1"
wire_api = "responses"
`;
  // Codex's default instructions have 4,000 tokens, which take minutes on a busy machine.
  const settings = `${model === '' ? '' : `model = "${model}"`}
model_instructions_file = "${join(home, 'brief.md')}"
${openai ? `openai_base_url = "${proxy.url}/v1"` : 'model_provider = "sightglass"'}
${openai ? '' : provider}
${mcp}
`;
  await writeFile(join(home, '.codex/config.toml'), settings);
  if (openai) {
    await writeFile(join(home, '.codex/auth.json'), JSON.stringify({ OPENAI_API_KEY: 'none' }));
  }
  const run = async (prompt: string, resumed: readonly string[] = []) => {
    proxy.requests.length = 0;
    const args = ['--skip-git-repo-check', '--json', '--dangerously-bypass-approvals-and-sandbox'];
    const result = await runAgent(program, ['exec', ...resumed, ...args, prompt], { home, cwd });
    const events = result.stdout
      .split('\n')
      .filter((line) => line.startsWith('{'))
      .map((line): CodexEvent => JSON.parse(line));
    t.diagnostic(`${proxy.requests.map(({ method, status }) => `${method} ${status}`).join(', ')}`);
    const items = events.filter(({ type }) => type === 'item.completed').map(({ item }) => item);
    const messages = items.filter(({ type }) => type === 'agent_message').map(({ text }) => text);
    return { ...result, events, items, messages, requests: [...proxy.requests] };
  };
  return { run, cwd };
}

const tomlList = (words: readonly string[]) => `[${words.map((word) => JSON.stringify(word))}]`;

test('Codex runs the command that the model calls', { skip }, async (t) => {
  const end = await running.script('All done.');
  const start = await running.script(calling('exec_command', { cmd: `echo '${end}'` }));
  const { run } = await startSession(t, { model: 'demo' });
  const { items, messages, requests } = await run(`Do it. ${start}`);
  const commands = items.filter(({ type }) => type === 'command_execution');
  assert.deepEqual(
    commands.map((item) => [item.aggregated_output, item.exit_code]),
    [[`${end}\n`, 0]],
  );
  assert.deepEqual([messages, requests.map(({ status }) => status)], [['All done.'], [200, 200]]);
});

for (const model of ['demo', '']) {
  const name = model === '' ? 'its default model' : `the model ${model}`;
  test(`Codex calls an MCP server that returns a picture, with ${name}`, { skip }, async (t) => {
    const end = await running.script('All done.');
    const call =
      model === ''
        ? calling('exec', {
            input:
              'const shot = await tools.mcp__pics__snap({});\nfor (const part of shot.content) part.type === "text" ? text(part.text) : image(part);',
          })
        : calling('mcp__pics__snap', {});
    const start = await running.script(call);
    const [command, ...args] = pictureServer(end);
    const mcp = `[mcp_servers.pics]\ncommand = "${command}"\nargs = ${tomlList(args)}`;
    const { run } = await startSession(t, { model, mcp });
    const { messages, requests, stdout } = await run(`Do it. ${start}`);
    const [, answered] = requests;
    assert.deepEqual([messages, requests.length], [['All done.'], 2], stdout);
    assert.match(JSON.stringify(answered?.body.input.at(-1)), /input_image/);
  });
}

test('Codex applies a patch from the model and resumes the session', {
  skip,
}, async (t) => {
  const end = await running.script('All done.');
  const file = `${end}.txt`;
  const text = 'a "quoted" line\nü \\ 😀\n';
  const added = text.replace(/^(?=.)/gm, '+');
  const input = `*** Begin Patch\n*** Add File: ${file}\n${added}*** End Patch\n`;
  const start = await running.script(calling('apply_patch', { input }));
  const { run, cwd } = await startSession(t, { model: WITH_CUSTOM_TOOLS });
  const first = await run(`Do it. ${start}`);
  assert.deepEqual([first.messages, await readdir(cwd)], [['All done.'], [file]], first.stdout);
  assert.equal(await readFile(join(cwd, file), 'utf8'), text);
  const more = await running.script('Nothing more.');
  const next = await run(`And then? ${more}`, ['resume', '--last']);
  assert.deepEqual([next.messages, next.requests.length], [['Nothing more.'], 1], next.stdout);
  const types = next.requests[0]?.body.input.map(({ type }: { type: string }) => type);
  assert.ok(types.includes('custom_tool_call') && types.includes('custom_tool_call_output'));
});

test('Codex runs its script tool, which it offers to its default model', { skip }, async (t) => {
  const end = await running.script('All done.');
  const start = await running.script(calling('exec', { input: `text("${end}");` }));
  const { run } = await startSession(t);
  const { messages, requests, stdout } = await run(`Do it. ${start}`);
  assert.deepEqual([messages, requests.length], [['All done.'], 2], stdout);
  const [first] = requests;
  assert.ok(first?.body.input.some(({ type }: { type: string }) => type === 'additional_tools'));
});

test('Codex with openai_base_url tries one WebSocket, then uses HTTP', { skip }, async (t) => {
  const start = await running.script('Hello.');
  const { run } = await startSession(t, { openai: true });
  const { messages, requests, stdout } = await run(`Say hello. ${start}`);
  const answers = requests
    .filter(({ path }) => path.startsWith('/v1/responses'))
    .map(({ method, status }) => `${method} ${status}`);
  assert.deepEqual([messages, answers], [['Hello.'], ['GET 426', 'POST 200']], stdout);
});

test('Codex works with a template whose roles must alternate', { skip }, async (t) => {
  const strict = await serve('strict');
  t.after(() => stop(strict));
  const end = await strict.running.script('All done.');
  const call = calling('exec_command', { cmd: `echo '${end}'` });
  const start = await strict.running.script(call);
  const { run } = await startSession(t, { model: 'demo', proxy: strict.proxy });
  const { messages, requests, stdout } = await run(`Do it. ${start}`);
  const statuses = requests.map(({ status }) => status);
  assert.deepEqual([messages, statuses], [['All done.'], [200, 200]], stdout);
});

test('Codex does not retry a request that the chat template rejects, and shows the reason', {
  skip,
}, async (t) => {
  const refusing = await serve('refusing');
  t.after(() => stop(refusing));
  const { run } = await startSession(t, { model: 'demo', proxy: refusing.proxy });
  const { messages, requests, events, stdout } = await run('Do it.');
  assert.deepEqual([messages, requests.map(({ status }) => status)], [[], [400]], stdout);
  assert.match(JSON.stringify(events.at(-1)), /Only haiku are accepted/);
});

test('a patch of 4,000 tokens is streamed as the input of a custom tool', async (t) => {
  const added = Array.from({ length: 150 }, (_, at) => `+line ${at}: "quoted" \\ and ü, 😀\n`);
  const input = `*** Begin Patch\n*** Add File: a.txt\n${added.join('')}*** End Patch\n`;
  const script = await running.script(calling('apply_patch', { input }));
  const tools = [{ type: 'custom', name: 'apply_patch', description: 'Changes files.' }];
  const started = performance.now();
  let first = Number.POSITIVE_INFINITY;
  const body = { input: `Change a.txt. ${script}`, tools };
  const events = await eventsOf(running.url, '/v1/responses', body, ({ event }) => {
    if (event === 'response.custom_tool_call_input.delta') {
      first = Math.min(first, performance.now() - started);
    }
  });
  const took = performance.now() - started;
  const { output, usage, status } = events.at(-1)?.data.response ?? {};
  const deltas = events.filter(({ event }) => event === 'response.custom_tool_call_input.delta');
  assert.deepEqual(
    [status, output.map((item: { input: string }) => item.input)],
    ['completed', [input]],
  );
  assert.equal(deltas.map(({ data }) => data.delta).join(''), input);
  assert.ok(usage.output_tokens >= 4000, `${usage.output_tokens} tokens`);
  t.diagnostic(
    `${usage.output_tokens} tokens in ${Math.round(took)} ms, the first delta after ` +
      `${Math.round(first)} ms, ${deltas.length} deltas`,
  );
  assert.ok(
    first < took / 2 && deltas.length > 1000,
    'the patch is not streamed while it is generated',
  );
});
