// A runtime without a model: it prints the launcher's lines and serves the launcher's routes, but only
// does what the test commands over a control socket. `stub-runtimes.ts` is the test's side of it.
import { createServer, type ServerResponse } from 'node:http';
import { connect } from 'node:net';
import { createInterface } from 'node:readline';
import { text } from 'node:stream/consumers';
import type { LauncherLine } from '../../server/runtime/protocol.ts';

/** A test's command to a stub. `id` is a request's id. */
export type Command =
  | { do: 'say'; line: LauncherLine | string }
  | { do: 'log'; line: string }
  | { do: 'exit'; code: number }
  | { do: 'ignore SIGTERM' }
  /** From now on, generation makes no steps. */
  | { do: 'stall' }
  /** From now on, requests end only on the command `end`. */
  | { do: 'keep requests' }
  | { do: 'send'; id: string; data: object | string }
  | { do: 'refuse'; id: string; status: number; body: string }
  | { do: 'close'; id: string }
  | { do: 'end'; id: string; usage?: object };

/** A stub's report to the test. */
export type Report =
  | { type: 'started'; pid: number; model: string; socketPath: string }
  | { type: 'request'; id: string; body: Record<string, unknown>; cacheSalt: string | undefined }
  /** The client has closed the response. */
  | { type: 'closed'; id: string }
  /** Its progress was requested. */
  | { type: 'probe' }
  | { type: 'SIGTERM' };

interface Open {
  response: ServerResponse;
  ended: PromiseWithResolvers<object | undefined>;
}

const [socketPath = '', model = ''] = ['--socket=', '--model='].map((flag) =>
  process.argv.find((argument) => argument.startsWith(flag))?.slice(flag.length),
);
const control = connect(process.env['STUB_CONTROL'] ?? '');
const report = (each: Report) => control.write(`${JSON.stringify(each)}\n`);
/** All requests so far, by id. */
const requests = new Map<string, Open>();
const active = new Set<string>();
let [steps, isStill, keepsRequests, ignoresTerm] = [0, false, false, false];

function obey(command: Command): void {
  const request = 'id' in command ? requests.get(command.id) : undefined;
  if (command.do === 'say') {
    const { line } = command;
    process.stdout.write(`${typeof line === 'string' ? line : JSON.stringify(line)}\n`);
  }
  if (command.do === 'log') process.stderr.write(`${command.line}\n`);
  if (command.do === 'exit') process.exit(command.code);
  if (command.do === 'ignore SIGTERM') ignoresTerm = true;
  if (command.do === 'stall') isStill = true;
  if (command.do === 'keep requests') keepsRequests = true;
  if (command.do === 'close') request?.response.destroy();
  if (command.do === 'end') {
    request?.ended.resolve(command.usage);
    active.delete(command.id);
  }
  if (command.do === 'refuse') request?.response.writeHead(command.status).end(command.body);
  if (command.do !== 'send') return;
  const { data } = command;
  request?.response.write(`data: ${typeof data === 'string' ? data : JSON.stringify(data)}\n\n`);
  if (data === '[DONE]') request?.response.end();
}

const server = createServer(async (request, response) => {
  const { url = '', headers } = request;
  if (request.method === 'POST') {
    const id = String(headers['x-request-id']);
    const body = JSON.parse(await text(request));
    const ended = Promise.withResolvers<object | undefined>();
    requests.set(id, { response, ended });
    active.add(id);
    response.on('close', () => {
      report({ type: 'closed', id });
      if (!keepsRequests) obey({ do: 'end', id });
    });
    report({ type: 'request', id, body, cacheSalt: headers['x-apc-tenant']?.toString() });
    return;
  }
  const id = /^\/sightglass\/requests\/(.*)\/ended$/.exec(url)?.[1];
  if (id !== undefined) {
    const usage = await requests.get(decodeURIComponent(id))?.ended.promise;
    response.writeHead(usage === undefined ? 204 : 200).end(usage && JSON.stringify(usage));
    return;
  }
  report({ type: 'probe' });
  if (!isStill) steps += 1;
  const memory = { memory_bytes: 5, peak_memory_bytes: 9 };
  response.end(JSON.stringify({ steps, active: active.size, ...memory }));
});

process.stdin.on('end', () => process.exit(0)).resume();
process.on('SIGTERM', () => {
  report({ type: 'SIGTERM' });
  if (!ignoresTerm) control.end(() => process.exit(0));
});
createInterface({ input: control }).on('line', (line) => obey(JSON.parse(line)));
server.listen(socketPath, () => report({ type: 'started', pid: process.pid, model, socketPath }));
