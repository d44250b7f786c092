import type { ServerResponse } from 'node:http';
import type { Answer } from './answers.ts';
import { toByteRange } from './byte-range.ts';
import type { Network } from './network.ts';

export interface Recipient {
  method: string;
  range: string | undefined;
  response: ServerResponse;
  onSent: (bytes: number) => void;
}

/**
 * Resolves when all of it has gone, or the client.
 * @throws Refusal for a range that is not there
 */
export async function sendAnswer(
  answer: Answer,
  { method, range, response, onSent }: Recipient,
  network: Network,
): Promise<void> {
  switch (answer.kind) {
    case 'json':
      response.setHeader('content-type', 'application/json').end(JSON.stringify(answer.body));
      break;
    case 'redirect':
      response.writeHead(302, { ...answer.headers, location: answer.location }).end();
      break;
    case 'file': {
      const { path, body } = answer.file;
      const part = toByteRange(range, body.length);
      const { start, end } = part ?? { start: 0, end: body.length };
      response.writeHead(part === undefined ? 200 : 206, {
        ...answer.headers,
        ...(part && { 'content-range': `bytes ${start}-${end - 1}/${body.length}` }),
        'content-length': end - start,
        'accept-ranges': 'bytes',
      });
      if (method === 'HEAD') response.end();
      else await network.deliver(response, { path, body: body.subarray(start, end), onSent });
      break;
    }
    default:
      answer satisfies never;
  }
}
