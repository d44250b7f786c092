import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import pino from 'pino';
import { createRuntimeCommand } from '../../server/runtime/process.ts';
import { RuntimeSupervisor } from '../../server/runtime/supervisor.ts';
import { SPECIMENS } from '../support/model-zoo.ts';
import { resources } from '../support/service.ts';

/** Tests that the launcher refuses these models of a zoo with the words of the list of models. */
export function testRefusals(zoo: () => string, names: readonly string[]): void {
  test(`the launcher refuses broken models as they are listed: ${names.join(', ')}`, async (t) => {
    const runtime = new RuntimeSupervisor({
      command: createRuntimeCommand(resources),
      modelPath: join(zoo(), names[0] ?? ''),
      log: pino({ level: 'silent' }),
    });
    t.after(() => runtime.shutdown());
    runtime.start();
    for (const name of names) {
      await runtime.load(join(zoo(), name));
      const words = SPECIMENS[name]?.words ?? assert.fail(`there is no ${name}`);
      await assert.rejects(runtime.ensureReady(t.signal), words);
    }
  });
}
