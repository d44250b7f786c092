import type { TestContext } from 'node:test';
import pino from 'pino';
import type { RuntimeConnection } from '../../server/runtime/connection.ts';
import type { RuntimePhase } from '../../server/runtime/state.ts';
import {
  RuntimeSupervisor,
  type RuntimeSupervisorOptions,
} from '../../server/runtime/supervisor.ts';

import { type StubProcess, StubRuntimes } from './stub-runtimes.ts';

/** A signal that is never aborted. */
export const never = new AbortController().signal;
const silent = pino({ level: 'silent' });

/** A supervisor of stub processes for model A. */
export async function setUp(
  t: TestContext,
  options: Partial<RuntimeSupervisorOptions> = {},
  onStart?: (stub: StubProcess, stubs: StubRuntimes) => void,
) {
  const stubs = await StubRuntimes.create(onStart);
  const runtime = new RuntimeSupervisor({
    ...{ command: stubs.command, modelPath: 'A', log: silent },
    ...options,
  });
  t.after(async () => {
    await runtime.shutdown();
    await stubs[Symbol.asyncDispose]();
  });
  return { stubs, runtime };
}

/** Resolves once the runtime is in the phase. */
export function phase(runtime: RuntimeSupervisor, wanted: RuntimePhase['phase']): Promise<void> {
  return new Promise((resolve) => {
    const check = () => {
      if (runtime.state.phase !== wanted) return;
      forget();
      resolve();
    };
    const forget = runtime.onChange(check);
    check();
  });
}

export const body = { model: 'A', stream: true, messages: [] } as const;

/** Asks for an answer, as a request does. */
export async function ask(
  connection: RuntimeConnection,
  signal: AbortSignal,
  { id = 'ask', isComplete = () => false, onText = (_text: string) => {} } = {},
): Promise<string> {
  let text = '';
  for await (const chunks of connection.chat(body, { id, signal, isComplete })) {
    for (const { choices } of chunks) text += choices[0]?.delta.content ?? '';
    onText(text);
  }
  return text;
}

/** Starts stubs of which these models cannot be loaded. */
export const broken = (...models: string[]) => {
  return (stub: StubProcess) => (models.includes(stub.model) ? stub.fatal() : stub.ready());
};
