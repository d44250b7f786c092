import type { Fit } from './model-views.ts';
import type { MachineLine } from './models-line.ts';

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
