import { readFile } from 'node:fs/promises';
import { z } from 'zod';
import { Problem } from '../problem.ts';
import { HUB_NAME } from './names.ts';
import type { MachineLine } from './program.ts';

// What the app and the command line tell of models: those found, those being downloaded, those
// that are suggested, and what a check of one found. A part of the contract with the panel.

const Bytes = z.number().min(0);
const Count = z.int().min(0);

/** Whether there is room for a model: its weights, and the tokens of all requests that run at once. */
export const Fit = z.object({
  verdict: z.enum(['fits', 'tight', 'too_large']),
  weightsBytes: Bytes,
  /** Of all requests together; 0 when the model does not tell. */
  cacheBytes: Bytes,
  requests: Count,
  tokensPerRequest: Count,
  /** What models may take: on Apple silicon the working set that the GPU recommends. */
  memoryBytes: Bytes,
});
export type Fit = z.infer<typeof Fit>;

/** A model on this Mac. */
export const FoundModel = z.object({
  /** What `modelPath` is to be to serve it: a folder, or the id of one in the Hugging Face cache. */
  path: z.string(),
  name: z.string(),
  /** Where it was found, as a person says it: `Hugging Face cache`, `LM Studio`, … */
  place: z.string(),
  /** On disk. */
  bytes: Bytes,
  /** Its `model_type`, as mlx_vlm names architectures. */
  type: z.string().optional(),
  /** `4-bit`, `mxfp4`, `bfloat16`, … */
  quantization: z.string().optional(),
  seesPictures: z.boolean().optional(),
  fit: Fit.optional(),
  /** It cannot be served, and why. */
  problem: Problem.optional(),
});
export type FoundModel = z.infer<typeof FoundModel>;

/** A good model that can be downloaded. */
export const SuggestedModel = z.object({
  /** On the Hugging Face Hub. */
  id: z.string(),
  name: z.string(),
  /** To download; about as much as it takes in memory. */
  bytes: Bytes,
  licence: z.string(),
  /** What it is good for, in a few words. */
  note: z.string(),
  fit: Fit,
});
export type SuggestedModel = z.infer<typeof SuggestedModel>;

/** A model on its way here, or stopped half-way. */
export const Download = z.object({
  id: z.string(),
  /** `waiting`: for the network to come back; it goes on by itself. */
  phase: z.enum(['starting', 'downloading', 'waiting', 'verifying', 'paused', 'failed']),
  doneBytes: Bytes,
  /** Not known before the Hub has told. */
  totalBytes: Bytes.optional(),
  bytesPerSecond: z.number().min(0).optional(),
  secondsLeft: z.number().min(0).optional(),
  /** What it failed of, or what it waits for. */
  problem: Problem.optional(),
});
export type Download = z.infer<typeof Download>;

/** What a check of the served model found. Questions are asked at temperature 0. */
export const CheckResult = z.object({
  model: z.string(),
  /** Pictures asked about, alone and then together. */
  questions: Count,
  /** Those whose answer was another one when several were asked at once. */
  differing: z.array(z.object({ streams: Count, alone: z.string(), together: z.string() })),
  speeds: z.array(z.object({ streams: Count, tokensPerSecond: z.number().min(0) })),
  /** The most that was in use. */
  memoryBytes: Bytes,
  /** The `maxConcurrency` to set. */
  recommended: Count,
});
export type CheckResult = z.infer<typeof CheckResult>;

/** The check of the served model, while it runs and after. */
export const Check = z.discriminatedUnion('phase', [
  z.object({ phase: z.literal('running'), done: Count, of: Count }),
  z.object({ phase: z.literal('done'), result: CheckResult }),
  z.object({ phase: z.literal('failed'), message: z.string() }),
]);
export type Check = z.infer<typeof Check>;

/** Above this share of the memory there is little left for pictures and MLX's own buffers. */
const COMFORTABLE = 0.8;

/** Whether weights and the tokens of so many requests at once have room in this machine. */
export function judgeFit(
  { weightsBytes, requestBytes }: { weightsBytes: number; requestBytes: number },
  { memory_bytes, tokens_per_request }: Omit<MachineLine, 'event'>,
  requests: number,
): Fit {
  const cacheBytes = requestBytes * requests;
  const share = (weightsBytes + cacheBytes) / memory_bytes;
  return {
    verdict: share > 1 ? 'too_large' : share > COMFORTABLE ? 'tight' : 'fits',
    weightsBytes,
    cacheBytes,
    requests,
    tokensPerRequest: tokens_per_request,
    memoryBytes: memory_bytes,
  };
}

/** `resources/models/suggested.json`, which anyone may edit. */
const SuggestedFile = z.object({
  models: z.array(
    z.object({
      id: z.string().regex(HUB_NAME),
      name: z.string(),
      gigabytes: z.number().positive(),
      request_megabytes: z.number().positive(),
      licence: z.string(),
      note: z.string(),
    }),
  ),
});

/** Good models to download, the smallest first, judged for this machine. */
export async function suggestModels(
  resources: URL,
  machine: MachineLine,
  maxConcurrency: number,
): Promise<SuggestedModel[]> {
  const text = await readFile(new URL('models/suggested.json', resources), 'utf8');
  const { models } = SuggestedFile.parse(JSON.parse(text));
  return models
    .map(({ id, name, gigabytes, request_megabytes, licence, note }) => {
      const bytes = gigabytes * 1e9;
      const sizes = { weightsBytes: bytes, requestBytes: request_megabytes * 1e6 };
      return { id, name, bytes, licence, note, fit: judgeFit(sizes, machine, maxConcurrency) };
    })
    .sort((a, b) => a.bytes - b.bytes);
}
