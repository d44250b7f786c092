import { cp, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { HubServer } from '../support/hub/hub-server.ts';
import { type StubbedApp, startStubbed } from '../support/packaged-app.ts';
import { demoModel } from '../support/service.ts';
import { showView } from '../support/sightglass-app.ts';

/** A model on the local Hub. */
export const ID = 'owner/demo';
/** A gated model on the local Hub. */
export const GATED = 'owner/gated';
/** The file with their weights. */
export const WEIGHTS = 'model.safetensors';

/** An app at its models. The real programs judge and download them; a stub runtime serves them. */
export interface ModelsApp extends StubbedApp {
  hub: HubServer;
  /** The folder that the app searches; `good` in it can be served. */
  folder: string;
}

/** `fill` adds more models to the folder that the app searches. */
export async function startModelsApp(
  fill: (folder: string) => Promise<unknown> = async () => {},
): Promise<ModelsApp> {
  const folder = await mkdtemp(join(tmpdir(), 'sightglass-models-'));
  await cp(demoModel, join(folder, 'good'), { recursive: true });
  await fill(folder);
  const hub = await HubServer.start();
  await hub.add(ID, demoModel);
  await hub.add(GATED, demoModel, { isGated: true });
  const running = await startStubbed(
    { modelFolders: [folder], hubEndpoint: hub.url },
    {
      onStart: (stub) => {
        stub.ready();
        void stub.requests.at(0).then(({ id }) => stub.answer(id, 'Hello.'));
      },
    },
  );
  await showView(running, 'Models');
  return {
    ...running,
    hub,
    folder,
    [Symbol.asyncDispose]: async () => {
      await running[Symbol.asyncDispose]();
      await hub[Symbol.asyncDispose]();
      await rm(folder, { recursive: true });
    },
  };
}

/** Starts a download by its id. */
export async function download(id: string, { page }: StubbedApp): Promise<void> {
  await page.getByLabel('or a Hugging Face id').fill(id);
  await page.locator('form').getByRole('button', { name: 'Download', exact: true }).click();
}
