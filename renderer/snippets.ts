/** Where clients find the server, as snippets need it. */
export interface Target {
  /** Without `/v1`. */
  url: string;
  apiKey: string | undefined;
  model: string;
}

export interface Snippet {
  name: string;
  /** Where the text goes. */
  hint: string;
  text: string;
}

const NO_KEY = 'not-needed';
const PICTURE = 'https://example.com/image.jpg';
const QUESTION = 'What is in this image?';

/** Ready to paste, with the real address, key and model. */
export function toSnippets({ url, apiKey = NO_KEY, model }: Target): Snippet[] {
  const base = `${url}/v1`;
  const [baseText, keyText, modelText] = [base, apiKey, model].map((text) => JSON.stringify(text));
  const body = JSON.stringify(
    {
      model,
      messages: [
        {
          role: 'user',
          content: [
            { type: 'text', text: QUESTION },
            { type: 'image_url', image_url: { url: PICTURE } },
          ],
        },
      ],
    },
    null,
    2,
  );
  return [
    {
      name: 'curl',
      hint: 'In a terminal.',
      text: [
        `curl ${shell(`${base}/chat/completions`)} \\`,
        ...(apiKey === NO_KEY ? [] : [`  -H ${shell(`Authorization: Bearer ${apiKey}`)} \\`]),
        `  -H 'Content-Type: application/json' \\`,
        `  -d ${shell(body)}`,
      ].join('\n'),
    },
    {
      name: 'Python',
      hint: 'With `pip install openai`.',
      text: `from openai import OpenAI

client = OpenAI(base_url=${baseText}, api_key=${keyText})
answer = client.chat.completions.create(
    model=${modelText},
    messages=[{
        "role": "user",
        "content": [
            {"type": "text", "text": "${QUESTION}"},
            {"type": "image_url", "image_url": {"url": "${PICTURE}"}},
        ],
    }],
)
print(answer.choices[0].message.content)`,
    },
    {
      name: 'Node',
      hint: 'With `npm install openai`.',
      text: `import OpenAI from 'openai';

const client = new OpenAI({ baseURL: ${baseText}, apiKey: ${keyText} });
const answer = await client.chat.completions.create({
  model: ${modelText},
  messages: [{
    role: 'user',
    content: [
      { type: 'text', text: '${QUESTION}' },
      { type: 'image_url', image_url: { url: '${PICTURE}' } },
    ],
  }],
});
console.log(answer.choices[0].message.content);`,
    },
    {
      name: 'Anthropic SDK',
      hint: 'Python, with `pip install anthropic`.',
      text: `import anthropic

client = anthropic.Anthropic(base_url=${JSON.stringify(url)}, api_key=${keyText})
answer = client.messages.create(
    model=${modelText},
    max_tokens=500,
    messages=[{
        "role": "user",
        "content": [
            {"type": "image", "source": {"type": "url", "url": "${PICTURE}"}},
            {"type": "text", "text": "${QUESTION}"},
        ],
    }],
)
print(answer.content[0].text)`,
    },
    {
      name: 'Open WebUI',
      hint: 'Admin Settings › Connections › OpenAI API › Add. In Docker, say host.docker.internal for localhost.',
      text: `URL: ${base}\nKey: ${apiKey}\nModel: ${model}`,
    },
    {
      name: 'Continue',
      hint: 'In ~/.continue/config.yaml.',
      text: `models:
  - name: ${modelText}
    provider: openai
    model: ${modelText}
    apiBase: ${baseText}
    apiKey: ${keyText}
    capabilities:
      - image_input
    roles:
      - chat`,
    },
  ];
}

/** A word for a shell, whatever is in it. */
function shell(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}
