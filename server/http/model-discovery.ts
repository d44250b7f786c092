import type Router from '@koa/router';
import type { Middleware } from 'koa';
import { sightglassVersion } from '../version.ts';
import type { Deps, State } from './deps.ts';
import { findModel, type ServedModel, toServedModel } from './models.ts';

/**
 * LM Studio's `GET /api/v0/models` and `/api/v0/models/{id}`. Its clients use them to find out whether
 * a model is loaded, accepts images (`type`) and calls tools, and how long its context is.
 */
export function registerLmStudioModels(router: Router<State>, deps: Deps): void {
  router.get('/api/v0/models', (ctx) => {
    ctx.body = { object: 'list', data: [toLmStudioModel(toServedModel(deps))] };
  });
  router.get('/api/v0/models/:id{/:name}', (ctx) => {
    ctx.body = toLmStudioModel(findModel(deps, ctx));
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
    // LM Studio announced `vision` in zed-industries/zed#32741, and Zed already reads it.
    capabilities: [
      ...(model.callsTools ? ['tool_use'] : []),
      ...(model.seesImages ? ['vision'] : []),
    ],
  };
}

/**
 * llama.cpp's `GET /props`. Its clients use it to find out whether the model accepts images, how long
 * its context is and what its chat template supports (a-ghorbani/pocketpal-ai#818,
 * off-grid-ai/OGAM#255). `model_path` is the model's id, because its path is private.
 */
export function createProps(deps: Deps): Middleware<State> {
  const build_info = `sightglass ${sightglassVersion()}`;
  return (ctx) => {
    const model = toServedModel(deps);
    const { id, contextLength, seesImages, callsTools, thinks } = model;
    ctx.body = {
      default_generation_settings: {
        n_ctx: contextLength,
        // llama.cpp's name for reasoning in `reasoning_content`.
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
