import { basename, isAbsolute } from 'node:path';
import type { Middleware } from 'koa';
import { InvalidRequestError } from '../errors.ts';
import type { RuntimeState } from '../runtime/state.ts';
import type { Deps, HttpContext, State } from './deps.ts';

/**
 * `GET /v1/models`: a list with the served model, in a form that works for OpenAI's and Anthropic's
 * clients and, in `models`, for those of llama.cpp and Ollama.
 */
export function createModelList(deps: Deps): Middleware<State> {
  const describe = createDescription();
  return (ctx) => {
    const model = toServedModel(deps);
    ctx.body = {
      object: 'list',
      data: [describe(model)],
      has_more: false,
      first_id: model.id,
      last_id: model.id,
      models: [toOllamaModel(model)],
    };
  };
}

/** `GET /v1/models/{id}`. */
export function createModelLookup(deps: Deps): Middleware<State> {
  const describe = createDescription();
  return (ctx) => {
    ctx.body = describe(findModel(deps, ctx));
  };
}

/**
 * The served model, if its id is in the path. An id such as `owner/name` is two path segments.
 * @throws InvalidRequestError with 404 for any other id
 */
export function findModel(deps: Deps, ctx: HttpContext): ServedModel {
  const { id, name } = ctx['params'] as { id: string; name?: string };
  const wanted = name === undefined ? id : `${id}/${name}`;
  const model = toServedModel(deps);
  if (wanted === model.id) return model;
  throw new InvalidRequestError(
    `The model '${wanted}' does not exist. This server serves '${model.id}'.`,
    { status: 404, code: 'model_not_found', param: 'model' },
  );
}

/**
 * The model's capabilities, in the fields of each server whose clients read them. Unknown values are
 * left out, or null where that server allows it.
 */
function createDescription() {
  const created = new Date();
  return (model: ServedModel) => ({
    ...toOpenAiModel(model, created),
    ...toAnthropicModel(model, created),
    ...toOpenRouterModel(model),
    // vLLM; used by netclaw-dev/netclaw#619, among others.
    max_model_len: model.contextLength,
    root: model.id,
    parent: null,
    // LM Studio's `/api/v0/models`.
    arch: model.architecture,
    quantization: model.quantization,
    state: model.state,
    max_context_length: model.contextLength,
    loaded_context_length: model.state === 'loaded' ? model.contextLength : undefined,
    // llama.cpp (can1357/oh-my-pi#3310 reads `n_ctx`); `status` is its router's.
    meta: { n_ctx: model.contextLength, n_ctx_train: model.contextLength },
    status: {
      value: { loaded: 'loaded', loading: 'loading', 'not-loaded': 'unloaded' }[model.state],
    },
    // Groq.
    context_window: model.contextLength,
  });
}

function toOpenAiModel({ id }: ServedModel, created: Date) {
  return {
    id,
    object: 'model',
    created: Math.floor(created.getTime() / 1000),
    owned_by: 'sightglass',
  };
}

/** Anthropic's `ModelInfo`. Mistral's capabilities have other names, so both fit in one object. */
function toAnthropicModel(model: ServedModel, created: Date) {
  const { name, contextLength = null, maxAnswerTokens = null, seesImages } = model;
  const support = (supported = false) => ({ supported });
  return {
    type: 'model',
    display_name: name,
    created_at: created.toISOString(),
    lifecycle: 'active',
    line: null,
    deprecated_at: null,
    retires_at: null,
    max_input_tokens: contextLength,
    max_tokens: maxAnswerTokens,
    capabilities:
      seesImages === undefined
        ? null
        : {
            ...toMistralCapabilities(model),
            batch: support(),
            citations: support(),
            code_execution: support(),
            context_management: {
              ...support(),
              clear_thinking_20251015: null,
              clear_tool_uses_20250919: null,
              compact_20260112: null,
            },
            effort: {
              ...support(),
              low: support(),
              medium: support(),
              high: support(),
              xhigh: support(),
              max: support(),
            },
            image_input: support(seesImages),
            pdf_input: support(),
            server_tools: { ...support(), code_execution: support(), web_search: support() },
            structured_outputs: support(true),
            thinking: {
              ...support(model.thinks),
              types: {
                adaptive: support(model.thinks),
                between_tools: support(),
                disabled: support(true),
                enabled: support(model.thinks),
              },
            },
          },
  };
}

function toMistralCapabilities({ seesImages, callsTools, thinks }: ServedModel) {
  return {
    completion_chat: true,
    completion_fim: false,
    fine_tuning: false,
    function_calling: callsTools,
    reasoning: thinks,
    vision: seesImages,
  };
}

/** Parameters that work with every model, by OpenRouter's names. */
export const SUPPORTED_PARAMETERS = [
  'max_tokens',
  'max_completion_tokens',
  'temperature',
  'top_p',
  'top_k',
  'min_p',
  'frequency_penalty',
  'presence_penalty',
  'repetition_penalty',
  'logit_bias',
  'logprobs',
  'top_logprobs',
  'seed',
  'stop',
  'response_format',
  'structured_outputs',
];

/** OpenRouter's fields. llama.cpp's router has `architecture` as well, which pi reads. */
function toOpenRouterModel(model: ServedModel) {
  const { name, contextLength, maxAnswerTokens, seesImages, callsTools, thinks } = model;
  return {
    name,
    context_length: contextLength,
    architecture:
      seesImages === undefined
        ? undefined
        : {
            modality: seesImages ? 'text+image->text' : 'text->text',
            input_modalities: seesImages ? ['text', 'image'] : ['text'],
            output_modalities: ['text'],
          },
    top_provider: { context_length: contextLength, max_completion_tokens: maxAnswerTokens },
    supported_parameters: [
      ...SUPPORTED_PARAMETERS,
      ...(callsTools ? ['tools', 'tool_choice', 'parallel_tool_calls'] : []),
      ...(thinks ? ['reasoning'] : []),
    ],
  };
}

/**
 * Ollama's form of a model, which llama.cpp also uses in `/v1/models`. `vision`, `tools` and `thinking`
 * are Ollama's terms, `multimodal` is llama.cpp's.
 */
function toOllamaModel({ id, architecture, quantization, ...model }: ServedModel) {
  return {
    name: id,
    model: id,
    type: 'model',
    capabilities: [
      'completion',
      ...(model.seesImages ? ['vision', 'multimodal'] : []),
      ...(model.callsTools ? ['tools'] : []),
      ...(model.thinks ? ['thinking'] : []),
    ],
    details: {
      format: 'mlx',
      family: architecture,
      families: architecture === undefined ? [] : [architecture],
      quantization_level: quantization,
    },
  };
}

/**
 * The served model, loaded or not. Fields are undefined until the runtime has read the model's
 * files.
 */
export interface ServedModel {
  id: string;
  /** The owner of a Hugging Face model. */
  owner: string | undefined;
  name: string;
  state: 'loaded' | 'loading' | 'not-loaded';
  /** mlx_vlm's name for the architecture, such as `qwen2_vl`. */
  architecture: string | undefined;
  /** As in the names of MLX models, such as `4bit`, `mxfp4` or `bfloat16`. */
  quantization: string | undefined;
  /** In tokens, for the prompt and the answer together. */
  contextLength: number | undefined;
  maxAnswerTokens: number | undefined;
  seesImages: boolean | undefined;
  /** Whether it decides when to call tools. Forced calls work with every model. */
  callsTools: boolean | undefined;
  thinks: boolean | undefined;
}

export function toServedModel({ settings, runtime }: Deps): ServedModel {
  const id = modelIdOf(settings.modelPath);
  const [name = id, owner] = id.split('/').reverse();
  const { state } = runtime;
  // While the model changes, the runtime may still describe the previous one.
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
    case 'crashed': // it restarts automatically
      return 'loading';
    case 'stopped':
    case 'unloaded':
    case 'failed':
      return 'not-loaded';
    default:
      return state satisfies never;
  }
}

/** A model in huggingface_hub's cache: `models--OWNER--NAME/snapshots/REVISION`. */
const SNAPSHOT = /(?:^|\/)models--([^/]+?)--([^/]+)\/snapshots\/[^/]+\/?$/;

/** The served model's id: its Hugging Face id, or the name of its folder. */
export function modelIdOf(modelPath: string): string {
  const [, owner, name] = SNAPSHOT.exec(modelPath) ?? [];
  if (owner !== undefined && name !== undefined) return `${owner}/${name}`;
  return isAbsolute(modelPath) || modelPath.startsWith('.') ? basename(modelPath) : modelPath;
}
