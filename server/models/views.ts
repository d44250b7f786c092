import { readFile } from 'node:fs/promises';
import { z } from 'zod';
import { Problem } from '../problem.ts';
import { HUB_NAME } from './names.ts';
import type { MachineLine } from './program.ts';

// Models as the app and the command line show them: found, being downloaded or recommended, and the
// result of a check. Part of the contract with the panel.

const Bytes = z.number().min(0);
const Count = z.int().min(0);

/** Whether there is enough memory for a model: its weights, and the tokens of concurrent requests. */
export const Fit = z.object({
  verdict: z.enum(['fits', 'tight', 'too_large']),
  weightsBytes: Bytes,
  /** For all requests together; 0 if unknown. */
  cacheBytes: Bytes,
  requests: Count,
  tokensPerRequest: Count,
  /** Memory available for models: on Apple silicon, the GPU's recommended working set. */
  memoryBytes: Bytes,
});
export type Fit = z.infer<typeof Fit>;

/** A model on this Mac. */
export const FoundModel = z.object({
  /** The `modelPath` to serve it: a folder, or the id of a model in the Hugging Face cache. */
  path: z.string(),
  name: z.string(),
  /** Where it was found, for people: `Hugging Face cache`, `LM Studio`, … */
  place: z.string(),
  /** Size on disk. */
  bytes: Bytes,
  /** Its architecture: `model_type` in mlx_vlm. */
  type: z.string().optional(),
  /** `4-bit`, `mxfp4`, `bfloat16`, … */
  quantization: z.string().optional(),
  seesPictures: z.boolean().optional(),
  fit: Fit.optional(),
  /** Why it cannot be served. */
  problem: Problem.optional(),
  /** What limits a model that can be served. */
  note: z.string().optional(),
});
export type FoundModel = z.infer<typeof FoundModel>;

/** A recommended model. */
export const SuggestedModel = z.object({
  /** Its id on the Hugging Face Hub. */
  id: z.string(),
  name: z.string(),
  /** Size of the download, and about that of its memory. */
  bytes: Bytes,
  licence: z.string(),
  /** What it is good for, in a few words. */
  note: z.string(),
  fit: Fit,
});
export type SuggestedModel = z.infer<typeof SuggestedModel>;

/** A download that is in progress or unfinished. */
export const Download = z.object({
  id: z.string(),
  /** `waiting`: until the network is available again; it then continues automatically. */
  phase: z.enum(['starting', 'downloading', 'waiting', 'verifying', 'paused', 'failed']),
  doneBytes: Bytes,
  /** Undefined until the Hub has reported it. */
  totalBytes: Bytes.optional(),
  bytesPerSecond: z.number().min(0).optional(),
  secondsLeft: z.number().min(0).optional(),
  /** Why it failed, or what it is waiting for. */
  problem: Problem.optional(),
});
export type Download = z.infer<typeof Download>;

/** The result of a check of the served model. Questions are asked at temperature 0. */
export const CheckResult = z.object({
  model: z.string(),
  /** Number of images, each asked about alone and then concurrently with others. */
  questions: Count,
  /** Answers that differed when several questions were asked concurrently. */
  differing: z.array(z.object({ streams: Count, alone: z.string(), together: z.string() })),
  speeds: z.array(z.object({ streams: Count, tokensPerSecond: z.number().min(0) })),
  /** The maximum memory in use. */
  memoryBytes: Bytes,
  /** The recommended `maxConcurrency`. */
  recommended: Count,
});
export type CheckResult = z.infer<typeof CheckResult>;

/** The check of the served model, while it is running and afterwards. */
export const Check = z.discriminatedUnion('phase', [
  z.object({ phase: z.literal('running'), done: Count, of: Count }),
  z.object({ phase: z.literal('done'), result: CheckResult }),
  z.object({ phase: z.literal('failed'), message: z.string() }),
]);
export type Check = z.infer<typeof Check>;

/** Above this share of the memory, little is left for images and MLX's own buffers. */
const COMFORTABLE = 0.8;

/** Whether this machine has enough memory for the weights and the tokens of concurrent requests. */
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

/** `resources/models/suggested.json`. Parsed, since people edit it. */
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

/** Recommended models to download, smallest first, with whether they fit this machine. */
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
