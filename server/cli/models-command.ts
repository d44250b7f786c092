import { accessSync, constants, statSync } from 'node:fs';
import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { SingleBar } from 'cli-progress';
import { Command, InvalidArgumentError } from 'commander';
import type { Logger } from 'pino';
import { modelIdOf } from '../http/models.ts';
import { checkModel } from '../models/check.ts';
import { findUnfinished } from '../models/downloads.ts';
import { findModels, inspectModel, measureMachine } from '../models/find-models.ts';
import { toModelName } from '../models/names.ts';
import { ModelsProgram } from '../models/program.ts';
import { type CheckResult, type FoundModel, suggestModels } from '../models/views.ts';
import { ModelError } from '../problem.ts';
import { createModelsCommand, createRuntimeCommand } from '../runtime/process.ts';
import { RuntimeSupervisor } from '../runtime/supervisor.ts';
import { Settings } from '../settings.ts';
import { toSize } from '../size.ts';
import { fetchModel } from './fetch-model.ts';
import { InterruptedError } from './interruption.ts';
import {
  describeCheck,
  describeModel,
  explainFit,
  FOUND_COLUMNS,
  printTable,
  SUGGESTED_COLUMNS,
  toPlain,
} from './model-text.ts';

interface Options {
  folder: string[];
  maxConcurrency: number;
  json: boolean;
}

/** `sightglass models …`: what a person asks about models without serving one. */
export function createModelsProgram(resources: URL, log: Logger): Command {
  const program = new ModelsProgram(createModelsCommand(resources), log);
  const print = (text: string) => void process.stdout.write(text);
  const printJson = (value: unknown) => print(`${JSON.stringify(value, null, 2)}\n`);
  const tell = (model: FoundModel, json: boolean) => {
    if (json) printJson(model);
    else print(describeModel(model));
    if (model.problem !== undefined) process.exitCode = 1;
  };

  const models = new Command('sightglass models')
    .description('Finds the models on this machine, inspects them, and downloads others.')
    .exitOverride()
    .configureOutput({ writeErr: () => {} });
  const add = (usage: string, description: string) =>
    models
      .command(usage, { isDefault: usage === 'list' })
      .description(description)
      .option('--max-concurrency <count>', 'requests that are to run at once', toCount, 1)
      .option('--json', 'for programs', false);

  add('list', 'list the models on this machine: in the Hugging Face cache, LM Studio and omlx')
    .option('--folder <path>', 'look there too; may be given more than once', collectFolder, [])
    .allowExcessArguments() // the default command gets what is none
    .action(async ({ folder, maxConcurrency, json }: Options, { args: [unknown] }: Command) => {
      if (unknown !== undefined) refuse(unknown);
      const own = { name: 'Sightglass', folder: fileURLToPath(new URL('models', resources)) };
      const places = [own, ...folder.map((each) => ({ name: each, folder: resolve(each) }))];
      const found = await findModels({ program, places, maxConcurrency });
      if (json) return printJson(found);
      const broken = found.filter(({ problem }) => problem !== undefined);
      const usable = found.filter(({ problem }) => problem === undefined);
      if (usable.length > 0) printTable(usable, FOUND_COLUMNS);
      for (const { path, problem } of broken) {
        const words = `${path}: ${problem?.message} ${problem?.remedy}`;
        process.stderr.write(`cannot be used: ${toPlain(words)}\n`);
      }
      for (const { id, doneBytes, totalBytes = 0 } of await findUnfinished()) {
        const words = `${id}: ${toSize(doneBytes)} of ${toSize(totalBytes)}`;
        process.stderr.write(`not finished: ${toPlain(words)}; \`models fetch\` continues it\n`);
      }
    });

  add(
    'show <model>',
    'show what a model is and whether it fits, by its folder or Hugging Face id',
  ).action(async (pasted: string, { maxConcurrency, json }: Options) => {
    const path = toModelName(pasted);
    tell(await inspectModel(path, { program, maxConcurrency }), json);
  });

  add('suggest', 'list recommended models to download, and whether they fit this machine').action(
    async ({ maxConcurrency, json }: Options) => {
      const suggested = await suggestModels(
        resources,
        await measureMachine(program),
        maxConcurrency,
      );
      if (json) printJson(suggested);
      else printTable(suggested, SUGGESTED_COLUMNS);
    },
  );

  add('fetch <id>', 'download a model from the Hugging Face Hub, or continue a download').action(
    async (pasted: string, { maxConcurrency, json }: Options) => {
      const id = toModelName(pasted);
      const folder = await fetchModel(id, program);
      const model = await inspectModel(folder, { program, maxConcurrency });
      tell({ ...model, path: id, name: id }, json);
    },
  );

  models
    .command('discard <id>')
    .description('remove the files of an unfinished download')
    .action((pasted: string) => {
      const request = { id: toModelName(pasted) };
      return program.run({ task: 'discard', request, onLine: () => {} });
    });

  add(
    'check <model>',
    'load a model and compare its answers to single and concurrent requests',
  ).action(async (pasted: string, { json, maxConcurrency }: Options) => {
    const path = toModelName(pasted);
    const { fit, problem } = await inspectModel(path, { program, maxConcurrency });
    if (problem !== undefined) throw new ModelError(problem);
    if (fit !== undefined && fit.verdict !== 'fits') {
      log.warn(`${path} may not fit: ${explainFit(fit)}.`);
    }
    const result = await checkAlone(path, resources, log);
    if (json) printJson(result);
    else print(describeCheck(result));
  });

  return models;
}

function refuse(unknown: string): never {
  const remedy = `to ask about a model: sightglass models show ${unknown}`;
  throw new InvalidArgumentError(`error: unknown command '${unknown}'; ${remedy}`);
}

function collectFolder(path: string, before: readonly string[]): string[] {
  if (!statSync(path, { throwIfNoEntry: false })?.isDirectory()) {
    throw new InvalidArgumentError('there is no such folder');
  }
  try {
    accessSync(path, constants.R_OK | constants.X_OK);
  } catch {
    throw new InvalidArgumentError('you may not look into this folder');
  }
  return [...before, path];
}

function toCount(text: string): number {
  const count = Number(text);
  if (Number.isInteger(count) && count >= 1 && count <= 1024) return count;
  throw new InvalidArgumentError('a whole number from 1 to 1024');
}

/** Answers from one line to the next, where there is no terminal for a bar. */
const LINE_EVERY = 5;

/**
 * Loads a model without serving it, checks it, and lets it go. Ctrl-C ends it.
 * @throws RuntimeFailedError when it cannot be loaded, InterruptedError, and what `checkModel` throws
 */
export async function checkAlone(
  modelPath: string,
  resources: URL,
  log: Logger,
): Promise<CheckResult> {
  const { hangTimeoutSeconds } = Settings.parse({ modelPath });
  const runtime = new RuntimeSupervisor({
    command: createRuntimeCommand(resources),
    modelPath,
    hangTimeoutMs: hangTimeoutSeconds * 1000,
    log,
  });
  const bar = new SingleBar({
    format: '{bar} {value} of {total} answers',
    barCompleteChar: '█',
    barIncompleteChar: '░',
    hideCursor: true,
  });
  const onProgress = (done: number, of: number) => {
    if (!process.stderr.isTTY) {
      if (done % LINE_EVERY === 0) process.stderr.write(`${done} of ${of} answers\n`);
    } else if (bar.isActive) bar.update(done);
    else bar.start(of, done);
  };
  const controller = new AbortController();
  const stop = () => controller.abort();
  process.on('SIGINT', stop).on('SIGTERM', stop);
  try {
    runtime.start();
    const connection = await runtime.ensureReady(controller.signal);
    return await checkModel(connection, {
      model: modelIdOf(modelPath),
      signal: controller.signal,
      onProgress,
    });
  } catch (error) {
    if (controller.signal.aborted) throw new InterruptedError('Stopped.');
    throw error;
  } finally {
    bar.stop();
    process.off('SIGINT', stop).off('SIGTERM', stop);
    await runtime.shutdown();
  }
}
