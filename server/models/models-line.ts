import { z } from 'zod';
import { FatalLine } from '../runtime/launcher-line.ts';

const Bytes = z.number().min(0);

/** What a model is, read from its folder. What could not be read is null. */
export const ModelLine = z.object({
  event: z.literal('model'),
  /** As it was asked about. */
  model: z.string(),
  /** Its folder. */
  path: z.string(),
  bytes: Bytes,
  weights_bytes: Bytes,
  /** Of one request that runs, beside the weights. */
  request_bytes: Bytes.nullable(),
  model_type: z.string().nullable(),
  quantization: z.string().nullable(),
  sees_pictures: z.boolean().nullable(),
  problem: FatalLine.omit({ event: true }).nullable(),
});
export type ModelLine = z.infer<typeof ModelLine>;

/** What this machine has for models. */
export const MachineLine = z.object({
  event: z.literal('machine'),
  memory_bytes: Bytes,
  tokens_per_request: z.int(),
});
export type MachineLine = z.infer<typeof MachineLine>;

/** One line of the stdout of `resources/runtime/models`: its whole protocol. */
export const ModelsLine = z.discriminatedUnion('event', [
  MachineLine,
  ModelLine,
  z.object({ event: z.literal('planned'), total_bytes: Bytes, done_bytes: Bytes }),
  z.object({ event: z.literal('progress'), total_bytes: Bytes, done_bytes: Bytes }),
  z.object({
    event: z.literal('waiting'),
    seconds: z.number(),
    reason: z.enum(['network', 'rate_limited']),
  }),
  z.object({ event: z.literal('verifying'), file: z.string() }),
  z.object({ event: z.literal('fetched'), path: z.string() }),
  z.object({ event: z.literal('discarded') }),
  FatalLine,
]);
export type ModelsLine = z.infer<typeof ModelsLine>;
