import type Router from '@koa/router';
import type { Middleware } from 'koa';
import { sightglassVersion } from '../version.ts';
import type { Deps, State } from './deps.ts';
import { lookUp, type ServedModel, toServedModel } from './models.ts';

/**
 * LM Studio's `GET /api/v0/models` and `/api/v0/models/{id}`, by which its clients find out whether a
 * model sees (`type`), calls tools and is loaded, and how long its context is.
 */
export function registerLmStudioModels(router: Router<State>, deps: Deps): void {
  router.get('/api/v0/models', (ctx) => {
    ctx.body = { object: 'list', data: [toLmStudioModel(toServedModel(deps))] };
  });
  router.get('/api/v0/models/:id{/:name}', (ctx) => {
    ctx.body = toLmStudioModel(lookUp(deps, ctx));
  });
}

function toLmStudioModel(model: ServedModel) {
  const { id, owner = 'sightglass', state, contextLength } = model;
  return {
    id,
    object: 'model',
    type: model.seesImages === false ? 'llm' : 'vlm',
    publisher: owner,
    arch: model.architecture,
    compatibility_type: 'mlx',
    quantization: model.quantization,
    state,
    max_context_length: contextLength,
    loaded_context_length: state === 'loaded' ? contextLength : undefined,
    // `vision` is what LM Studio announced in zed-industries/zed#32741; Zed reads it already.
    capabilities: [
      ...(model.callsTools ? ['tool_use'] : []),
      ...(model.seesImages ? ['vision'] : []),
    ],
  };
}

/**
 * llama.cpp's `GET /props`, from which its clients learn whether the model sees, how long its context
 * is and what its chat template can show (a-ghorbani/pocketpal-ai#818, off-grid-ai/OGAM#255). The path
 * of the model is private: `model_path` is its id.
 */
export function createProps(deps: Deps): Middleware<State> {
  const build_info = `sightglass ${sightglassVersion()}`;
  return (ctx) => {
    const model = toServedModel(deps);
    const { id, contextLength, seesImages, callsTools, thinks } = model;
    ctx.body = {
      default_generation_settings: {
        n_ctx: contextLength,
        // Thoughts come as `reasoning_content`, which llama.cpp calls DeepSeek's format.
        params: { reasoning_format: thinks ? 'deepseek' : 'none' },
      },
      total_slots: deps.settings.maxConcurrency,
      model_alias: id,
      model_path: id,
      modalities:
        seesImages === undefined ? undefined : { vision: seesImages, audio: false, video: false },
      chat_template_caps:
        callsTools === undefined
          ? undefined
          : {
              supports_string_content: true,
              supports_typed_content: true,
              supports_tools: callsTools,
              supports_tool_calls: callsTools,
              supports_parallel_tool_calls: callsTools,
            },
      build_info,
      is_sleeping: model.state === 'not-loaded',
    };
  };
}
