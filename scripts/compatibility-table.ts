import type { z } from 'zod';
import { MessagesRequest } from '../server/anthropic/messages-request.ts';
import { ChatCompletionRequest } from '../server/openai/chat-request.ts';
import type { Compatibility } from '../server/openai/compatibility.ts';
import { ResponsesRequest } from '../server/openai/responses-request.ts';

const EFFECTS: Readonly<Record<Compatibility['effect'], string>> = {
  gateway: 'honoured',
  runtime: 'given to mlx_vlm',
  'no effect': 'accepted, without effect',
  refused: 'refused by name',
};

const HEAD = `# What happens to each parameter

Made from the schemas in \`server/openai\` and \`server/anthropic\` by \`npm run docs\`; a test keeps it
true. Nothing is silently ignored: a parameter is honoured by Sightglass, given to mlx_vlm as it is,
accepted because it asks for nothing that shows in an answer, or refused in OpenAI's error form with
its name in \`param\`. A parameter that is not listed is refused as unknown. \`null\` means not given.
`;

/** The parameters of one request's schema, and what is said of each. */
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
  const rows = compatibilityOf(schema).map(([name, { effect, note = '', test }]) => {
    const what = note === '' ? EFFECTS[effect] : `${EFFECTS[effect]}: ${note}`;
    return `| \`${name}\` | ${what} | [${test.replace(/^.*\//, '')}](../${test}) |`;
  });
  return `## ${title}\n\n| parameter | what happens to it | tested by |\n| --- | --- | --- |\n${rows.join('\n')}\n`;
}
