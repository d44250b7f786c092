import { test } from 'node:test';
import { ModelError } from '../../../server/problem.ts';
import { demoModel } from '../service.ts';
import { HubClient } from './hub-client.ts';
import { HubServer } from './hub-server.ts';

export const ID = 'owner/demo';
export const WEIGHTS = 'model.safetensors';
export const WEIGHTS_BYTES = 3596416;
/** Slow enough that a download reports a rate. */
export const SLOW = 2_000_000;

/** A test with a local Hub that has the demo model, and a client. */
export function hubTest(
  title: string,
  scenario: (both: { hub: HubServer; client: HubClient }) => Promise<void>,
  { skip = false }: { skip?: string | boolean } = {},
): void {
  test(title, { skip }, async () => {
    await using hub = await HubServer.start();
    await hub.add(ID, demoModel);
    await using client = await HubClient.start(hub.url);
    await scenario({ hub, client });
  });
}

/** The machine-readable reason of a failed download. */
export function reasonOf(error: unknown): string | undefined {
  return error instanceof ModelError ? error.problem.reason : undefined;
}
