// `node picture-server.mjs TEXT BASE64_PNG`: an MCP server over stdio. Its only tool, `snap`, returns the text
// and the picture.

import { createInterface } from 'node:readline';

const [text, data] = process.argv.slice(2);
const snap = {
  name: 'snap',
  description: 'Takes a picture.',
  inputSchema: { type: 'object', properties: {}, additionalProperties: false },
};
const methods = {
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
  const result = methods[method]?.(params);
  const error = { code: -32601, message: `Unknown method: ${method}` };
  const response = { jsonrpc: '2.0', id, ...(result === undefined ? { error } : { result }) };
  process.stdout.write(`${JSON.stringify(response)}\n`);
}
