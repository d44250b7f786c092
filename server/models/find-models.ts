import { type Candidate, listCandidates, type Place } from './places.ts';
import type { MachineLine, ModelLine, ModelsLine, ModelsProgram } from './program.ts';
import { type FoundModel, judgeFit } from './views.ts';

export interface FindOptions {
  program: ModelsProgram;
  /** Folders to search besides those of other apps. */
  places: readonly Place[];
  /** Requests that may run concurrently. */
  maxConcurrency: number;
  signal?: AbortSignal;
}

/** Finds and inspects the models on this machine, sorted by name. Does not load any. */
export async function findModels({ places, ...options }: FindOptions): Promise<FoundModel[]> {
  return judge(await listCandidates(places), options);
}

/** Inspects a model by its folder or id. */
export async function inspectModel(
  path: string,
  options: Omit<FindOptions, 'places'>,
): Promise<FoundModel> {
  const [model] = await judge([{ path, name: path, place: '' }], options);
  if (model === undefined) throw new TypeError(`Expected a line about ${path}.`);
  return model;
}

/** The memory that this machine has for models. */
export async function measureMachine(program: ModelsProgram): Promise<MachineLine> {
  return (await inspect([], program)).machine;
}

async function judge(
  candidates: readonly Candidate[],
  { program, maxConcurrency, signal }: Omit<FindOptions, 'places'>,
): Promise<FoundModel[]> {
  const paths = candidates.map(({ path }) => path);
  const { machine, models } = await inspect(paths, program, signal);
  return candidates.flatMap((candidate) => {
    const line = models.get(candidate.path);
    return line === undefined ? [] : [toFoundModel(candidate, line, machine, maxConcurrency)];
  });
}

async function inspect(paths: readonly string[], program: ModelsProgram, signal?: AbortSignal) {
  const models = new Map<string, ModelLine>();
  let machine: MachineLine | undefined;
  const onLine = (line: ModelsLine) => {
    if (line.event === 'model') models.set(line.model, line);
    if (line.event === 'machine') machine = line;
  };
  await program.run({ task: 'inspect', request: { models: paths }, signal, onLine });
  if (machine === undefined) throw new TypeError('Expected a line about the machine.');
  return { machine, models };
}

function toFoundModel(
  candidate: Candidate,
  line: ModelLine,
  machine: MachineLine,
  maxConcurrency: number,
): FoundModel {
  const { bytes, weights_bytes, request_bytes, model_type, quantization, sees_pictures } = line;
  const sizes = { weightsBytes: weights_bytes, requestBytes: request_bytes ?? 0 };
  return {
    ...candidate,
    bytes,
    ...(model_type === null ? {} : { type: model_type }),
    ...(quantization === null ? {} : { quantization }),
    ...(sees_pictures === null ? {} : { seesPictures: sees_pictures }),
    ...(weights_bytes === 0 ? {} : { fit: judgeFit(sizes, machine, maxConcurrency) }),
    ...(line.problem === null ? {} : { problem: line.problem }),
    ...(line.note === null ? {} : { note: line.note }),
  };
}
