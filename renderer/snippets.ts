/** The server that the snippets call. */
export interface Target {
  /** Without `/v1`. */
  url: string;
  apiKey: string | undefined;
  model: string;
}

export interface Snippet {
  name: string;
  /** Where to paste the text. */
  hint: string;
  text: string;
}

const NO_KEY = 'not-needed';
/** A red circle. It is inlined so that a pasted snippet works without downloading an image. */
const PNG =
  'iVBORw0KGgoAAAANSUhEUgAAAEAAAABAAQMAAACQp+OdAAAABlBMVEXgICD////SbgRlAAAACXBIWXMAAAsTAAALEwEAmpwYAAAAaElEQVQoz73Ruw2AMAxF0YtSUGaEjMJoMFpGYYSUKRAfG/RAAlHG1Snta7ZraIMcTqwwOiokR4HomKF3ZAiOCToHxxhWw3hgMQxPVEP6RDHENvhZ472zztGB98mKoCwKpXSKqbzNfroDz+RaQqvBNSwAAAAASUVORK5CYII=';
const PICTURE = `data:image/png;base64,${PNG}`;
const PICTURE_NOTE = 'a red circle; an image URL works too';
const QUESTION = 'What is in this image?';

/** Snippets to paste, with the actual address, key and model. */
export function toSnippets(target: Target): Snippet[] {
  return [
    {
      name: 'curl',
      hint: 'In a terminal.',
      text: toCurl(target),
    },
    {
      name: 'Python',
      hint: 'After pip install openai.',
      text: toPython(target),
    },
    {
      name: 'Node',
      hint: 'After npm install openai.',
      text: toNode(target),
    },
    {
      name: 'Anthropic SDK',
      hint: 'In Python, after pip install anthropic.',
      text: toAnthropic(target),
    },
    {
      name: 'Open WebUI',
      hint: 'Admin Settings › Connections › OpenAI API › Add. In Docker, use host.docker.internal instead of 127.0.0.1.',
      text: toOpenWebUi(target),
    },
    {
      name: 'Continue',
      hint: 'In ~/.continue/config.yaml.',
      text: toContinue(target),
    },
  ];
}

function toCurl({ url, apiKey, model }: Target): string {
  const content = [
    { type: 'text', text: QUESTION },
    { type: 'image_url', image_url: { url: PICTURE } },
  ];
  const body = JSON.stringify({ model, messages: [{ role: 'user', content }] }, null, 2);
  return [
    `curl ${quote(`${url}/v1/chat/completions`)} \\`,
    ...(apiKey === undefined ? [] : [`  -H ${quote(`Authorization: Bearer ${apiKey}`)} \\`]),
    `  -H 'Content-Type: application/json' \\`,
    `  -d ${quote(body)}`,
  ].join('\n');
}

/** The target's values as string literals, which are the same in Python, JavaScript and YAML. */
function toLiterals({ url, apiKey = NO_KEY, model }: Target) {
  return {
    urlText: JSON.stringify(url),
    baseText: JSON.stringify(`${url}/v1`),
    keyText: JSON.stringify(apiKey),
    modelText: JSON.stringify(model),
  };
}

function toPython(target: Target): string {
  const { baseText, keyText, modelText } = toLiterals(target);
  return `from openai import OpenAI

image = "${PICTURE}"  # ${PICTURE_NOTE}
client = OpenAI(base_url=${baseText}, api_key=${keyText})
answer = client.chat.completions.create(
    model=${modelText},
    messages=[{
        "role": "user",
        "content": [
            {"type": "text", "text": "${QUESTION}"},
            {"type": "image_url", "image_url": {"url": image}},
        ],
    }],
)
print(answer.choices[0].message.content)`;
}

function toNode(target: Target): string {
  const { baseText, keyText, modelText } = toLiterals(target);
  return `import OpenAI from 'openai';

const image = '${PICTURE}'; // ${PICTURE_NOTE}
const client = new OpenAI({ baseURL: ${baseText}, apiKey: ${keyText} });
const answer = await client.chat.completions.create({
  model: ${modelText},
  messages: [{
    role: 'user',
    content: [
      { type: 'text', text: '${QUESTION}' },
      { type: 'image_url', image_url: { url: image } },
    ],
  }],
});
console.log(answer.choices[0].message.content);`;
}

function toAnthropic(target: Target): string {
  const { urlText, keyText, modelText } = toLiterals(target);
  return `import anthropic

image = "${PNG}"  # a red circle
client = anthropic.Anthropic(base_url=${urlText}, api_key=${keyText})
answer = client.messages.create(
    model=${modelText},
    max_tokens=500,
    messages=[{
        "role": "user",
        "content": [
            {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": image}},
            {"type": "text", "text": "${QUESTION}"},
        ],
    }],
)
print(answer.content[0].text)`;
}

function toOpenWebUi({ url, apiKey = NO_KEY, model }: Target): string {
  return `URL: ${url}/v1\nKey: ${apiKey}\nModel: ${model}`;
}

function toContinue(target: Target): string {
  const { baseText, keyText, modelText } = toLiterals(target);
  return `models:
  - name: ${modelText}
    provider: openai
    model: ${modelText}
    apiBase: ${baseText}
    apiKey: ${keyText}
    capabilities:
      - image_input
    roles:
      - chat`;
}

/** Quotes any text for a shell. */
function quote(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}
