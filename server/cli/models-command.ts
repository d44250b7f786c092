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

/** What the commands work with. */
interface Tools {
  program: ModelsProgram;
  resources: URL;
  log: Logger;
}

/** `sightglass models …`: the commands for models that need no running service. */
export function createModelsProgram(resources: URL, log: Logger): Command {
  const program = new ModelsProgram(createModelsCommand(resources), log);
  const tools = { program, resources, log };
  const models = new Command('sightglass models')
    .description('Finds the models on this machine, inspects them, and downloads others.')
    .exitOverride()
    .configureOutput({ writeErr: () => {} });
  add(
    models,
    'list',
    'list the models on this machine: in the Hugging Face cache, LM Studio and omlx',
  )
    .option('--folder <path>', 'look there too; may be given more than once', collectFolder, [])
    .allowExcessArguments() // `list` is the default, so an unknown command is its argument
    .action((options: Options, { args: [unknown] }: Command) => {
      if (unknown !== undefined) refuse(unknown);
      return listModels(tools, options);
    });
  add(
    models,
    'show <model>',
    'show what a model is and whether it fits, by its folder or Hugging Face id',
  ).action((model: string, options: Options) => showModel(tools, toModelName(model), options));
  add(
    models,
    'suggest',
    'list recommended models to download, and whether they fit this machine',
  ).action((options: Options) => listSuggestions(tools, options));
  add(
    models,
    'fetch <id>',
    'download a model from the Hugging Face Hub, or continue a download',
  ).action((id: string, options: Options) => downloadModel(tools, toModelName(id), options));
  models
    .command('discard <id>')
    .description('remove the files of an unfinished download')
    .action((id: string) =>
      program.run({ task: 'discard', request: { id: toModelName(id) }, onLine: () => {} }),
    );
  add(
    models,
    'check <model>',
    'load a model and compare its answers to single and concurrent requests',
  ).action((model: string, options: Options) => compareAnswers(tools, toModelName(model), options));
  return models;
}

function add(models: Command, usage: string, description: string): Command {
  return models
    .command(usage, { isDefault: usage === 'list' })
    .description(description)
    .option('--max-concurrency <count>', 'requests that are to run at once', toCount, 1)
    .option('--json', 'print JSON', false);
}

async function listModels(
  { program, resources }: Tools,
  { folder, maxConcurrency, json }: Options,
): Promise<void> {
  const own = { name: 'Sightglass', folder: fileURLToPath(new URL('models', resources)) };
  const places = [own, ...folder.map((each) => ({ name: each, folder: resolve(each) }))];
  const found = await findModels({ program, places, maxConcurrency });
  if (json) return printJson(found);
  const usable = found.filter(({ problem }) => problem === undefined);
  if (usable.length > 0) printTable(usable, FOUND_COLUMNS);
  for (const { path, note } of usable) {
    if (note !== undefined) process.stderr.write(`note: ${toPlain(`${path}: ${note}`)}\n`);
  }
  for (const { path, problem } of found) {
    if (problem === undefined) continue;
    const text = `${path}: ${problem.message} ${problem.remedy}`;
    process.stderr.write(`cannot be used: ${toPlain(text)}\n`);
  }
  for (const { id, doneBytes, totalBytes = 0 } of await findUnfinished()) {
    const text = `${id}: ${toSize(doneBytes)} of ${toSize(totalBytes)}`;
    process.stderr.write(`not finished: ${toPlain(text)}; \`models fetch\` continues it\n`);
  }
}

async function showModel(
  { program }: Tools,
  path: string,
  { maxConcurrency, json }: Options,
): Promise<void> {
  printModel(await inspectModel(path, { program, maxConcurrency }), json);
}

async function listSuggestions(
  { program, resources }: Tools,
  { maxConcurrency, json }: Options,
): Promise<void> {
  const suggested = await suggestModels(resources, await measureMachine(program), maxConcurrency);
  if (json) printJson(suggested);
  else printTable(suggested, SUGGESTED_COLUMNS);
}

async function downloadModel(
  { program }: Tools,
  id: string,
  { maxConcurrency, json }: Options,
): Promise<void> {
  const folder = await fetchModel(id, program);
  const model = await inspectModel(folder, { program, maxConcurrency });
  printModel({ ...model, path: id, name: id }, json);
}

async function compareAnswers(
  { program, resources, log }: Tools,
  path: string,
  { maxConcurrency, json }: Options,
): Promise<void> {
  const { fit, problem } = await inspectModel(path, { program, maxConcurrency });
  if (problem !== undefined) throw new ModelError(problem);
  if (fit !== undefined && fit.verdict !== 'fits') {
    log.warn(`${path} may not fit: ${explainFit(fit)}.`);
  }
  const result = await checkAlone(path, resources, log);
  if (json) printJson(result);
  else print(describeCheck(result));
}

/** Prints a model, and makes the command fail if it has a problem. */
function printModel(model: FoundModel, json: boolean): void {
  if (json) printJson(model);
  else print(describeModel(model));
  if (model.problem !== undefined) process.exitCode = 1;
}

function printJson(value: unknown): void {
  print(`${JSON.stringify(value, null, 2)}\n`);
}

function print(text: string): void {
  process.stdout.write(text);
}

function refuse(unknown: string): never {
  const remedy = `to ask about a model: sightglass models show ${unknown}`;
  throw new InvalidArgumentError(`error: unknown command '${unknown}'; ${remedy}`);
}

function collectFolder(path: string, before: readonly string[]): string[] {
  if (!statSync(path, { throwIfNoEntry: false })?.isDirectory()) {
    throw new InvalidArgumentError('not an existing folder');
  }
  try {
    accessSync(path, constants.R_OK | constants.X_OK);
  } catch {
    throw new InvalidArgumentError('this folder cannot be read: permission denied');
  }
  return [...before, path];
}

function toCount(text: string): number {
  const count = Number(text);
  if (Number.isInteger(count) && count >= 1 && count <= 1024) return count;
  throw new InvalidArgumentError('must be a whole number from 1 to 1024');
}

/** Answers per line of progress where there is no terminal. */
const LINE_EVERY = 5;

/**
 * Loads a model without serving it, checks it, and unloads it. Ctrl-C ends the check.
 * @throws RuntimeFailedError when it cannot be loaded, InterruptedError, and what `checkModel` throws
 */
async function checkAlone(modelPath: string, resources: URL, log: Logger): Promise<CheckResult> {
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
