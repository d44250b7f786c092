import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { Logger } from 'pino';
import { z } from 'zod';
import { explainFit } from '../cli/model-text.ts';
import { inspectModel } from '../models/find-models.ts';
import { ModelsProgram } from '../models/program.ts';
import { ProblemError } from '../problem.ts';
import { createModelsCommand, createRuntimeCommand, PythonProcess } from '../runtime/process.ts';

import { type Finding, failed, ok, parseJson, skipped } from './check.ts';
import type { Machine } from './machine.ts';

/** Generous, because the first import of mlx_vlm compiles it. */
const PROBE_WITHIN_MS = 180_000;

const PythonStep = z.object({
  event: z.literal('python'),
  version: z.string(),
  machine: z.string(),
  native: z.boolean(),
  executable: z.string(),
});
const MlxStep = z.object({
  event: z.literal('mlx'),
  version: z.string(),
  metal: z.boolean(),
  device: z.string(),
  architecture: z.string(),
  working_set_bytes: z.number(),
});
const MatmulStep = z.object({
  event: z.literal('matmul'),
  device: z.string(),
  correct: z.boolean(),
});
const MlxVlmStep = z.object({ event: z.literal('mlx_vlm'), version: z.string() });
const FailedStep = z.object({ event: z.literal('failed'), step: z.string(), message: z.string() });
/** A line of JSON that `resources/runtime/doctor` prints. */
const ProbeLine = z.discriminatedUnion('event', [
  PythonStep,
  MlxStep,
  MatmulStep,
  MlxVlmStep,
  FailedStep,
]);

/** The results that `resources/runtime/doctor` printed. */
export interface Probe {
  python?: z.infer<typeof PythonStep>;
  mlx?: z.infer<typeof MlxStep>;
  matmul?: z.infer<typeof MatmulStep>;
  mlx_vlm?: z.infer<typeof MlxVlmStep>;
  failed?: z.infer<typeof FailedStep>;
  /** How the process ended, unless its exit code was 0. */
  end?: string;
}

type Step = 'python' | 'mlx' | 'matmul' | 'mlx_vlm';

const SET_UP_AGAIN =
  'In a checkout, remove resources/runtime/.venv and run `npm start`; otherwise reinstall the app.';

/** Tests Python, MLX and the GPU in a separate process. Never rejects. */
export async function probeRuntime(
  resources: URL,
  log: Logger,
  withinMs = PROBE_WITHIN_MS,
): Promise<Probe> {
  const { python, args } = createRuntimeCommand(resources, 'doctor');
  if (!existsSync(python)) return { end: 'not set up' };
  const probe: Record<string, unknown> = {};
  const child = new PythonProcess({
    command: { python, args },
    schema: ProbeLine,
    log,
    onLine: (line) => {
      probe[line.event] = line;
    },
  });
  let isLate = false;
  const timer = setTimeout(() => {
    isLate = true;
    child.kill();
  }, withinMs);
  const { exitCode, signal, shortMessage } = await child.ended;
  clearTimeout(timer);
  if (isLate) return { ...probe, end: `killed after ${withinMs / 1000} s without a result` };
  return exitCode === 0 ? probe : { ...probe, end: signal ?? shortMessage ?? `exit ${exitCode}` };
}

export function checkPython({ python, end }: Probe): Finding {
  if (python === undefined) {
    return failed(`Python does not start (${end ?? 'no output'})`, SET_UP_AGAIN);
  }
  const found = `${python.version} for ${python.machine}`;
  if (python.native) return ok(found);
  return failed(
    `${found}, which is not native on this Mac`,
    'Install a native Python 3.11 to 3.13 (`brew install python@3.12`), remove ' +
      'resources/runtime/.venv and run `npm start`.',
  );
}

export function checkMlx(probe: Probe, pinned: string | undefined): Finding {
  return checkPackage(probe, 'mlx', probe.mlx?.version, pinned);
}

export function checkMlxVlm(probe: Probe, pinned: string | undefined): Finding {
  return checkPackage(probe, 'mlx_vlm', probe.mlx_vlm?.version, pinned);
}

function checkPackage(
  probe: Probe,
  step: Step,
  version: string | undefined,
  pinned: string | undefined,
): Finding {
  if (version === undefined) return explain(probe, step, SET_UP_AGAIN);
  if (pinned !== undefined && pinned !== version) {
    return failed(`${version}, but ${pinned} is expected`, SET_UP_AGAIN);
  }
  return ok(version);
}

/** Checks that MLX multiplies correctly, on the GPU if there is one. */
export function checkMetal(probe: Probe, { platform }: Pick<Machine, 'platform'>): Finding {
  const { mlx, matmul } = probe;
  const remedy =
    'Restart the Mac. A virtual machine needs a GPU. If this persists, report it with the whole output.';
  if (mlx === undefined) return skipped('MLX does not load');
  const device = `${mlx.device} (${mlx.architecture})`;
  if (platform === 'darwin' && !mlx.metal) return failed(`no Metal on ${device}`, remedy);
  if (matmul === undefined) return explain(probe, 'matmul', remedy);
  if (!matmul.correct) return failed(`${device} multiplied matrices incorrectly`, remedy);
  if (platform === 'darwin' && !matmul.device.includes('gpu')) {
    return failed(`MLX uses ${matmul.device} rather than the GPU of ${device}`, remedy);
  }
  return ok(mlx.metal ? `${device} multiplies correctly` : `none; the CPU multiplies correctly`);
}

/** Checks that the model to serve is complete, supported and fits in memory. */
export async function checkModel(
  { modelPath, maxConcurrency }: { modelPath?: string | undefined; maxConcurrency: number },
  probe: Probe,
  resources: URL,
  log: Logger,
  withinMs = PROBE_WITHIN_MS,
): Promise<Finding> {
  if (modelPath === undefined) {
    return failed('none chosen', 'Choose a model in the panel, or the demo model.');
  }
  if (probe.mlx_vlm === undefined) return skipped('needs a working runtime');
  const program = new ModelsProgram(createModelsCommand(resources), log);
  try {
    const signal = AbortSignal.timeout(withinMs);
    const { path, type, fit, problem } = await inspectModel(modelPath, {
      program,
      maxConcurrency,
      signal,
    });
    if (problem !== undefined) return failed(problem.message, problem.remedy);
    const found = `${path} (${type})${fit === undefined ? '' : `: ${explainFit(fit)}`}`;
    if (fit?.verdict !== 'too_large') return ok(found);
    return failed(
      `${found}, so it does not fit`,
      'Choose a smaller or more quantized model: see `sightglass models suggest`.',
    );
  } catch (error) {
    if (error instanceof DOMException && error.name === 'TimeoutError') {
      return failed(
        `${modelPath} could not be read within ${withinMs / 1000} s`,
        'Check that its disk is connected and responding.',
      );
    }
    if (!(error instanceof ProblemError)) throw error;
    return failed(error.problem.message, error.problem.remedy);
  }
}

/** Explains why a step has no result: it failed, it crashed the process, or an earlier step did. */
function explain({ failed: failure, end }: Probe, step: Step, remedy: string): Finding {
  if (failure?.step === step) return failed(failure.message, remedy);
  if (failure !== undefined) return skipped(`not reached: ${failure.step} failed`);
  return failed(`not reached: the process ended (${end ?? 'early'})`, remedy);
}

/** The expected package versions, from the lock file or from the packaged app's manifest. */
export async function pinnedVersions(
  resources: URL,
  { readFile }: Pick<Machine, 'readFile'>,
): Promise<ReadonlyMap<string, string>> {
  const read = (name: string) =>
    readFile(fileURLToPath(new URL(`runtime/${name}`, resources))).catch(() => '');
  const lock = await read('requirements.txt');
  const locked = [...lock.matchAll(/^([\w.-]+)==(\S+)/gm)].map(
    ([, name = '', version = '']) => [name, version] as const,
  );
  if (locked.length > 0) return new Map(locked);
  const manifest = await read('manifest.json');
  const { packages } = z
    .object({ packages: z.array(z.object({ name: z.string(), version: z.string() })) })
    .catch({ packages: [] })
    .parse(parseJson(manifest));
  return new Map(packages.map(({ name, version }) => [name, version]));
}
