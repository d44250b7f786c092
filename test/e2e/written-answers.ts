// How the three APIs present what models write, through the whole service. The cases are those of
// test/runtime/test_answers.py, which runs all of them, cut at every token, without the service.
// These tests send a sample; `npm run test:answers` sends everything.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import pMap from 'p-map';
import { createRuntimeCommand } from '../../server/runtime/process.ts';
import { type ScriptedService, startScriptedService } from '../support/scripted-service.ts';
import { resources } from '../support/service.ts';
import { type Answer, finishReasons, threeApis } from '../support/three-apis.ts';

interface Case {
  name: string;
  parser: string;
  text: string;
  /** What the prompt ends with. */
  opened: string;
  reasoning: string;
  content: string | null;
  calls: [string, object][] | null;
  isCut?: boolean;
}

/** How many requests the tests send. */
export interface Extent {
  /** Cases per format, different ones for each format. Undefined sends all. */
  samples: number | undefined;
  /** Sends only every nth of these cases. */
  every: number;
  /** Token limits for the tests of cut answers. */
  cuts: readonly number[];
  /** Whether each case goes to all APIs, streamed and not, or to one API in turn. */
  everyApi: boolean;
  /** Requests of each concurrent agent. */
  turns: number;
}
const AT_ONCE = 8;

const functions = [
  {
    name: 'get_weather',
    parameters: {
      type: 'object',
      properties: { city: { type: 'string' }, days: { type: 'integer' } },
    },
  },
  { name: 'now', parameters: { type: 'object', properties: {} } },
];

let service: ScriptedService;
let cases: Case[];
const complete = ({ calls }: Answer) =>
  calls.flatMap(({ name, arguments: text }) => {
    try {
      return [[name, JSON.parse(text)]];
    } catch {
      return [];
    }
  });

const apis = Object.entries(threeApis);

/** What these APIs answer to the same request, streamed and not. */
async function answersTo({ text, parser, opened }: Case, asked: typeof apis, maxTokens?: number) {
  const script = await service.script(text, parser);
  const prompt = `${script} [[opens ${opened}]]`;
  const asking = { prompt, functions, ...(maxTokens === undefined ? {} : { maxTokens }) };
  const answers = [];
  for (const [api, ask] of asked) {
    const whole = await ask(service.url, asking, false);
    const streamed = await ask(service.url, asking, true);
    answers.push({ api: api as keyof typeof threeApis, whole, streamed });
  }
  return answers;
}

function sample(all: readonly Case[], count: number | undefined): Case[] {
  const whole = all.filter(({ isCut }) => !isCut);
  if (count === undefined) return whole;
  const formatOf = ({ name }: Case) => name.split(':')[0];
  return [...new Set(whole.map(formatOf))].flatMap((format, at) => {
    const own = whole.filter((each) => formatOf(each) === format);
    return Array.from({ length: count }, (_, next) => own[(at * count + next) % own.length]).filter(
      (each) => each !== undefined,
    );
  });
}

const schema = {
  type: 'object',
  properties: { a: { type: 'integer' } },
  required: ['a'],
  additionalProperties: false,
};
/** Starts a service and tests its answers. */
export function testWrittenAnswers({ samples, every, cuts, everyApi, turns }: Extent): void {
  before(async () => {
    const listing = fileURLToPath(new URL('../runtime/call_formats.py', import.meta.url));
    const { python } = createRuntimeCommand(resources);
    cases = JSON.parse((await execa(python, ['-B', listing])).stdout);
    service = await startScriptedService('any', { maxConcurrency: AT_ONCE, queueSize: 1000 });
  });
  after(() => service.stop());

  const apisFor = (index: number) =>
    everyApi ? apis : apis.slice(index % apis.length).slice(0, 1);

  test('all three APIs return valid calls as calls and malformed ones as text, streamed or not', async () => {
    await pMap(
      sample(cases, samples).filter((_, index) => index % every === 0),
      async (each, index) => {
        for (const { api, whole, streamed } of await answersTo(each, apisFor(index))) {
          const where = `${each.name}, ${api}: ${JSON.stringify(whole)}`;
          const calls = complete(whole);
          assert.deepEqual({ ...streamed, calls: complete(streamed) }, { ...whole, calls }, where);
          if (each.calls !== null) assert.deepEqual(calls, each.calls, where);
          if (each.content !== null) {
            assert.deepEqual(
              [whole.content, whole.reasoning],
              [each.content, each.reasoning],
              where,
            );
          }
          assert.notEqual(
            `${whole.content}${whole.reasoning}${whole.calls.length || ''}`,
            '',
            where,
          );
          const reason = calls.length > 0 ? 'tool_calls' : 'stop';
          assert.equal(whole.finish, finishReasons[api][reason], where);
        }
      },
      { concurrency: AT_ONCE },
    );
  });

  test('a call cut off by the token limit reports that limit and never looks complete', async () => {
    const cut = cases.filter(({ isCut }) => isCut).filter((_, index) => index % every === 0);
    const chosen = cut.flatMap((each) => cuts.map((tokens) => ({ each, tokens })));
    await pMap(
      chosen,
      async ({ each, tokens }, index) => {
        for (const { api, whole, streamed } of await answersTo(each, apisFor(index), tokens)) {
          const where = `${each.name} after ${tokens}, ${api}: ${JSON.stringify([whole, streamed])}`;
          const isCut = whole.finish === finishReasons[api].length;
          if (!isCut) assert.equal(whole.finish, finishReasons[api].tool_calls, where);
          for (const answer of [whole, streamed]) {
            assert.equal(answer.finish, whole.finish, where);
            assert.deepEqual(complete(answer), isCut ? [] : each.calls, where);
            assert.ok('Look.'.startsWith(answer.content.slice(0, 5)), where);
          }
          // A whole message has no form for half a call: there it is text.
          if (api !== 'messages') assert.deepEqual(streamed, whole, where);
        }
      },
      { concurrency: AT_ONCE },
    );
  });

  for (const [thought, { prompt, said }] of Object.entries({
    'the prompt has opened': { prompt: '[[opens <think>\n]]', said: 'Hm.</think>' },
    'Gemma 4 opens': { prompt: '', said: '<|channel>thought\nHm.<channel|>' },
  })) {
    test(`a schema or a forced call applies to the text after a thought that ${thought}`, async () => {
      for (const [nth, [text, asked, expected]] of (
        [
          ['{"a": 1}', { schema }, { content: '{"a": 1}', calls: [] }],
          [
            '{"name": "now", "arguments": {}}',
            { forced: 'now' },
            { content: '', calls: [['now', {}]] },
          ],
          // Text that the schema does not allow is left out.
          ['{"a": 1} and more', { schema }, { content: '{"a": 1}', calls: [] }],
        ] as const
      ).entries()) {
        const script = await service.script(`${said}${text}`);
        const asking = { prompt: `${script} ${prompt}`, functions, thinks: true, ...asked };
        for (const [index, [api, ask]] of apis.entries()) {
          for (const streamed of everyApi ? [false, true] : [(nth + index) % 2 === 0]) {
            const { content, reasoning, ...rest } = await ask(service.url, asking, streamed);
            const where = `${text}, ${api}, ${streamed}: ${content}`;
            assert.deepEqual(
              [reasoning, complete({ ...rest, content, reasoning })],
              ['Hm.', expected.calls],
              where,
            );
            assert.equal(content, expected.content, where);
          }
        }
      }
    });
  }

  test('an answer that ends inside its thought reports why, with a schema too', async () => {
    const script = await service.script('I wonder why the sky is blue and the sea is not.');
    const asking = { prompt: `${script} [[opens <think>\n]]`, functions, thinks: true };
    for (const [api, ask] of apis) {
      const { length, stop } = finishReasons[api as keyof typeof finishReasons];
      for (const held of [{}, { schema }, { forced: 'now' }]) {
        const cut = await ask(service.url, { ...asking, ...held, maxTokens: 5 }, true);
        assert.deepEqual([cut.content, cut.calls, cut.finish], ['', [], length], api);
        assert.match(cut.reasoning, /^I wonder/, api);
        const whole = await ask(service.url, { ...asking, ...held }, false);
        assert.deepEqual([whole.content, whole.calls, whole.finish], ['', [], stop], api);
        assert.match(whole.reasoning, /is not\.$/, api);
      }
    }
  });

  test('thoughts and calls of concurrent answers are not mixed up', async () => {
    const agents = Array.from({ length: AT_ONCE }, (_, at) => at);
    await pMap(
      agents,
      async (agent) => {
        for (let turn = 0; turn < turns; turn += 1) {
          const own = `${agent}-${turn}`;
          const call = `{"name": "get_weather", "arguments": {"city": "C${own}"}}`;
          const text = `T${own}.</think>\nA${own}.\n<tool_call>${call}</tool_call>`;
          const script = await service.script(turn % 2 === 0 ? `<think>${text}` : text);
          const prompt = turn % 2 === 0 ? script : `${script} [[opens <think>\n]]`;
          const [api, ask] = apis[(agent + turn) % apis.length] ?? assert.fail();
          const answer = await ask(service.url, { prompt, functions }, turn % 4 < 2);
          const finish = finishReasons[api as keyof typeof finishReasons].tool_calls;
          assert.deepEqual(
            { ...answer, calls: complete(answer) },
            {
              ...{ content: `A${own}.`, reasoning: `T${own}.`, finish },
              calls: [['get_weather', { city: `C${own}` }]],
            },
          );
        }
      },
      { concurrency: AT_ONCE },
    );
  });
}
