import { follow, type NamedEvent, postTo } from './api.ts';

export interface Call {
  name: string;
  arguments: string;
}

/** The answer of any of the three APIs, streamed or not, in one form. */
export interface Answer {
  content: string;
  reasoning: string;
  calls: Call[];
  finish: string;
}

export interface Asking {
  prompt: string;
  functions?: readonly { name: string; parameters: object }[];
  maxTokens?: number;
  /** The JSON Schema that the answer is held to. */
  schema?: object;
  /** The function that has to be called. */
  forced?: string;
  /** Whether the model should think; Messages always request it, so that they return it. */
  thinks?: boolean;
}

const named = (schema: object) => ({ name: 'answer', strict: true, schema });

type Ask = (url: string, asking: Asking, streamed: boolean) => Promise<Answer>;
type Json = NamedEvent['data'];

const bodyOf = async (url: string, path: string, body: object): Promise<Json> => {
  const { status, body: answer } = await postTo(url, path, body);
  if (status !== 200) throw new Error(`${status}: ${JSON.stringify(answer)}`);
  return answer;
};

async function eventsOf(url: string, path: string, body: object): Promise<Json[]> {
  const events: Json[] = [];
  for await (const { data } of follow(url, path, body)) {
    if (data.error != null) throw new Error(JSON.stringify(data.error));
    if (data !== '[DONE]') events.push(data);
  }
  return events;
}

const chat: Ask = async (url, asking, streamed) => {
  const { prompt, functions, maxTokens, schema, forced, thinks } = asking;
  const path = '/v1/chat/completions';
  const body = {
    messages: [{ role: 'user', content: prompt }],
    tools: functions?.map((each) => ({ type: 'function', function: each })),
    max_tokens: maxTokens,
    ...(schema && {
      response_format: { type: 'json_schema', json_schema: named(schema) },
    }),
    ...(forced && { tool_choice: { type: 'function', function: { name: forced } } }),
    ...(thinks && { enable_thinking: true }),
  };
  const answer: Answer = { content: '', reasoning: '', calls: [], finish: '' };
  const add = (message: Json) => {
    answer.content += message.content ?? '';
    answer.reasoning += message.reasoning_content ?? '';
    for (const [at, { index = at, function: called }] of (message.tool_calls ?? []).entries()) {
      answer.calls[index] ??= { name: '', arguments: '' };
      answer.calls[index].name += called.name ?? '';
      answer.calls[index].arguments += called.arguments ?? '';
    }
  };
  if (streamed) {
    for (const { choices } of await eventsOf(url, path, body)) {
      add(choices[0]?.delta ?? {});
      answer.finish = choices[0]?.finish_reason ?? answer.finish;
    }
    return answer;
  }
  const [choice] = (await bodyOf(url, path, body)).choices;
  add(choice.message);
  return { ...answer, finish: choice.finish_reason };
};

const responses: Ask = async (url, asking, streamed) => {
  const { prompt, functions, maxTokens, schema, forced, thinks } = asking;
  const path = '/v1/responses';
  const tools = functions?.map((each) => ({ type: 'function', ...each, strict: false }));
  const body = {
    ...{ input: prompt, tools, max_output_tokens: maxTokens },
    ...(schema && { text: { format: { type: 'json_schema', ...named(schema) } } }),
    ...(forced && { tool_choice: { type: 'function', name: forced } }),
    ...(thinks && { reasoning: { effort: 'medium' } }),
  };
  const response = streamed
    ? (await eventsOf(url, path, body)).at(-1)?.response
    : await bodyOf(url, path, body);
  const texts = (type: string) =>
    response.output
      .filter((item: Json) => item.type === type)
      .flatMap((item: Json) => item.content.map(({ text }: Json) => text))
      .join('');
  const calls = response.output.filter(({ type }: Json) => type === 'function_call');
  return {
    content: texts('message'),
    reasoning: texts('reasoning'),
    calls: calls.map(({ name, arguments: text }: Json) => ({ name, arguments: text })),
    finish: response.status,
  };
};

const messages: Ask = async (url, asking, streamed) => {
  const { prompt, functions, maxTokens = 2000, schema, forced } = asking;
  const path = '/v1/messages';
  const body = {
    messages: [{ role: 'user', content: prompt }],
    tools: functions?.map(({ name, parameters }) => ({ name, input_schema: parameters })),
    max_tokens: maxTokens,
    thinking: { type: 'adaptive' },
    ...(schema && { output_config: { format: { type: 'json_schema', schema } } }),
    ...(forced && { tool_choice: { type: 'tool', name: forced } }),
  };
  const blocks: Json[] = [];
  let finish = '';
  if (streamed) {
    for (const event of await eventsOf(url, path, body)) {
      if (event.type === 'content_block_start') blocks.push({ ...event.content_block, json: '' });
      if (event.type === 'message_delta') finish = event.delta.stop_reason;
      if (event.type !== 'content_block_delta') continue;
      const block = blocks.at(-1);
      block.json += event.delta.partial_json ?? '';
      block.text += event.delta.text ?? '';
      block.thinking += event.delta.thinking ?? '';
    }
  } else {
    const message = await bodyOf(url, path, body);
    blocks.push(...message.content);
    finish = message.stop_reason;
  }
  const of = (type: string) => blocks.filter((block) => block.type === type);
  return {
    content: of('text')
      .map(({ text }) => text)
      .join(''),
    reasoning: of('thinking')
      .map(({ thinking }) => thinking)
      .join(''),
    calls: of('tool_use').map(({ name, input, json }) => ({
      name,
      arguments: json || JSON.stringify(input),
    })),
    finish,
  };
};

/** Asks one question through any of the three APIs. Rejects unless the answer is complete. */
export const threeApis = { chat, responses, messages };

/** Each API's word for why an answer ended, by the word of chat completions. */
export const finishReasons = {
  chat: { stop: 'stop', length: 'length', tool_calls: 'tool_calls' },
  responses: { stop: 'completed', length: 'incomplete', tool_calls: 'completed' },
  messages: { stop: 'end_turn', length: 'max_tokens', tool_calls: 'tool_use' },
};
