import assert from 'node:assert/strict';
import { fileURLToPath } from 'node:url';
import { pino } from 'pino';
import type { Check } from '../../../server/doctor/check.ts';
import { type DoctorOptions, type DoctorReport, diagnose } from '../../../server/doctor/doctor.ts';
import type { Machine } from '../../../server/doctor/machine.ts';
import { fakeMac } from './fake-machine.ts';

/** The resources of this checkout. */
export const own = new URL('../../../resources/', import.meta.url);

export const demo = fileURLToPath(new URL('models/demo', own));

export const settings = { modelPath: demo, host: '127.0.0.1', port: 8000, maxConcurrency: 1 };

export const log = pino({ level: 'silent' });

/** What the runtime reports of the demo model. */
export const MODEL_LINES = [
  { event: 'machine', memory_bytes: 28.9e9, tokens_per_request: 8192 },
  {
    event: 'model',
    note: null,
    model: demo,
    path: demo,
    bytes: 4e6,
    weights_bytes: 4e6,
    request_bytes: 4e6,
    model_type: 'qwen2_vl',
    quantization: null,
    sees_pictures: true,
    problem: null,
  },
];

/** What the doctor reports of a healthy Mac, but for these options. */
export function examine(options: Partial<DoctorOptions> & Pick<DoctorOptions, 'resources'>) {
  return diagnose({ version: '1.2.3', settings, machine: fakeMac(), log, ...options });
}

/** The check of this name. */
export async function find(name: string, report: Promise<DoctorReport>): Promise<Check> {
  const { checks } = await report;
  const check = checks.find((each) => each.name === name);
  assert.ok(check !== undefined, `there is no check ${name}`);
  return check;
}

/** The text of a log file. */
export const logLines = (...lines: object[]) =>
  lines.map((line) => JSON.stringify(line)).join('\n');

export const crashed = { time: 1e12, msg: 'runtime crashed', reason: 'it was killed by SIGKILL' };

export const failure = {
  time: 1e12 + 1,
  msg: 'runtime failed',
  reason: 'load_crashed',
  message: 'The runtime ended twice.',
  remedy: 'Try a smaller model.',
};

export const ready = { time: 1e12 + 2, msg: 'runtime ready' };

/** A Mac whose Sightglass has written this log. */
export function macWithLog(text: string, changes: Partial<Machine> = {}): Machine {
  return fakeMac({
    listFiles: async (folder) => (folder.endsWith('Logs/Sightglass') ? ['sightglass.2.log'] : []),
    readFile: async (path) => (path.endsWith('sightglass.2.log') ? text : Promise.reject(path)),
    ...changes,
  });
}
