// An MCP server over stdio with one tool, `snap`, which returns a text and a picture.
// `node picture-server.mjs TEXT PNG_IN_BASE64`

import { createInterface } from 'node:readline';

const [text, data] = process.argv.slice(2);
const snap = {
  name: 'snap',
  description: 'Takes a picture.',
  inputSchema: { type: 'object', properties: {}, additionalProperties: false },
};
const answers = {
  initialize: ({ protocolVersion }) => ({
    protocolVersion,
    capabilities: { tools: {} },
    serverInfo: { name: 'pics', version: '1.0.0' },
  }),
  ping: () => ({}),
  'tools/list': () => ({ tools: [snap] }),
  'tools/call': () => ({
    content: [
      { type: 'text', text },
      { type: 'image', data, mimeType: 'image/png' },
    ],
  }),
};

for await (const line of createInterface({ input: process.stdin })) {
  const { id, method, params } = JSON.parse(line);
  if (id === undefined) continue; // a notification
  const result = answers[method]?.(params);
  const error = { code: -32601, message: `There is no method ${method} here.` };
  const answer = { jsonrpc: '2.0', id, ...(result === undefined ? { error } : { result }) };
  process.stdout.write(`${JSON.stringify(answer)}\n`);
}
