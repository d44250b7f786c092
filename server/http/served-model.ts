import type { RuntimeState } from '../runtime/runtime-state.ts';
import type { Deps } from './deps.ts';
import { modelIdOf } from './model-id.ts';

/**
 * The model that is served, loaded or not. A field is undefined as long as its value is not known:
 * from the moment the runtime has read the model's files, it is.
 */
export interface ServedModel {
  id: string;
  /** The owner of a Hugging Face model. */
  owner: string | undefined;
  name: string;
  state: 'loaded' | 'loading' | 'not-loaded';
  /** As mlx_vlm names architectures, such as `qwen2_vl`. */
  architecture: string | undefined;
  /** As in the names of MLX models: `4bit`, `mxfp4`, `bfloat16`. */
  quantization: string | undefined;
  /** Tokens of prompt and answer together. */
  contextLength: number | undefined;
  /** The most tokens that an answer may have. */
  maxAnswerTokens: number | undefined;
  seesImages: boolean | undefined;
  /** Whether it decides by itself to call tools; a forced call is always possible. */
  callsTools: boolean | undefined;
  thinks: boolean | undefined;
}

export function toServedModel({ settings, runtime }: Deps): ServedModel {
  const id = modelIdOf(settings.modelPath);
  const [name = id, owner] = id.split('/').reverse();
  const { state } = runtime;
  // Between two models, the runtime may still describe the earlier one.
  const isCurrent = state.context.wanted === settings.modelPath;
  const known = isCurrent ? state.context.description : undefined;
  const contextLength = known?.context_length ?? undefined;
  const limits = [contextLength, settings.maxAnswerTokens].filter((limit) => limit !== undefined);
  return {
    id,
    owner,
    name,
    state: isCurrent ? toLoadState(state) : 'not-loaded',
    architecture: known?.model_type ?? undefined,
    quantization: known?.quantization?.replace(/-bit$/, 'bit'),
    contextLength,
    maxAnswerTokens: limits.length === 0 ? undefined : Math.min(...limits),
    seesImages: known?.sees_images,
    callsTools: known?.calls_tools,
    thinks: known?.thinks,
  };
}

function toLoadState(state: RuntimeState): ServedModel['state'] {
  switch (state.phase) {
    case 'ready':
      return 'loaded';
    case 'starting':
    case 'loading':
      return 'loading';
    case 'draining':
    case 'stopping':
      return state.after.to === 'starting' ? 'loading' : 'not-loaded';
    case 'crashed': // restarts by itself
      return 'loading';
    case 'stopped':
    case 'unloaded':
    case 'failed':
      return 'not-loaded';
    default:
      return state satisfies never;
  }
}
