import type { z } from 'zod';
import { ChatCompletionRequest } from '../server/apis/chat/request.ts';
import type { Compatibility } from '../server/apis/fields.ts';
import { MessagesRequest } from '../server/apis/messages/request.ts';
import { ResponsesRequest } from '../server/apis/responses/request.ts';

const EFFECTS: Readonly<Record<Compatibility['effect'], string>> = {
  gateway: 'by Sightglass',
  runtime: 'by mlx_vlm',
  'no effect': 'accepted, without effect',
  ignored: 'ignored',
  refused: 'refused',
};

const GROUPS: readonly [title: string, effects: readonly Compatibility['effect'][]][] = [
  ['Honoured', ['gateway', 'runtime', 'no effect']],
  ['Ignored and reported', ['ignored']],
  ['Refused by name', ['refused']],
];

const HEAD = `# What happens to each parameter

\`npm run docs\` generates this page from the schemas in \`server/apis\`, and a test checks that it is up to
date. Every parameter belongs to one of three groups:

- **Honoured** by Sightglass or by mlx_vlm, or accepted because it cannot change an answer here. Other
  servers' names for parameters are honoured, too. If two contradict each other, the API's own wins and
  the other is reported as ignored.
- **Ignored and reported**: hints that do not affect correctness, and every field that is not listed, at
  any depth. Their values are not validated and never reach the model. The response header
  \`x-sightglass-ignored\` lists them as JSON paths (names only, percent-encoded, at most 1 KB, then
  \`+N more\`); the log lists all of them at \`--log-level debug\`. \`--strict-parameters\` refuses them
  instead, as OpenAI does.
- **Refused by name**: parameters that would change the answer and are not supported. The error has the
  name in \`param\`. Wrong types and values out of range are refused, too.

\`null\` means the same as leaving the parameter out.

Without a token limit, an answer may use the rest of the model's context; \`--max-answer-tokens\` caps
every answer. The deadline (\`--queue-timeout\`) ends a queued request even in the middle of its answer:
the client gets 504 and no part of the answer. With a slow model, set a token limit or stream: streams
have no deadline once they run.
`;

/** The parameters of a request schema and how each is handled. */
export function compatibilityOf(schema: z.ZodObject): [name: string, Compatibility][] {
  return Object.entries(schema.shape).map(([name, parameter]) => [
    name,
    (parameter as z.ZodType).meta() as unknown as Compatibility,
  ]);
}

/** The text of \`docs/openai-compatibility.md\`. */
export function compatibilityPage(): string {
  return [
    HEAD,
    section('`POST /v1/chat/completions`', ChatCompletionRequest),
    section('`POST /v1/responses`', ResponsesRequest),
    section('`POST /v1/messages` (Anthropic)', MessagesRequest),
  ].join('\n');
}

function section(title: string, schema: z.ZodObject): string {
  const all = compatibilityOf(schema);
  const tables = GROUPS.map(([group, effects]) => {
    const rows = all.filter(([, { effect }]) => effects.includes(effect)).map(row);
    const head = '| parameter | what happens to it | tested by |\n| --- | --- | --- |';
    return `### ${group}\n\n${head}\n${rows.join('\n')}\n`;
  });
  return `## ${title}\n\n${tables.join('\n')}`;
}

function row([name, { effect, note = '', test }]: [string, Compatibility]): string {
  const what = note === '' ? EFFECTS[effect] : `${EFFECTS[effect]}: ${note}`;
  return `| \`${name}\` | ${what} | [${test.replace(/^.*\//, '')}](../${test}) |`;
}
