import type { Middleware } from 'koa';
import { InvalidRequestError } from '../openai/api-error.ts';
import type { Deps, State } from './deps.ts';
import { modelIdOf } from './model-id.ts';

/** `GET /v1/models`: the one model that is served. */
export function createModelList({ settings }: Deps): Middleware<State> {
  const model = describe(settings.modelPath);
  return (ctx) => {
    ctx.body = { object: 'list', data: [model] };
  };
}

/** `GET /v1/models/{id}`; ids of the Hugging Face form `owner/name` come as two segments. */
export function createModelLookup({ settings }: Deps): Middleware<State> {
  const model = describe(settings.modelPath);
  return (ctx) => {
    const { id, name } = ctx['params'] as { id: string; name?: string };
    const wanted = name === undefined ? id : `${id}/${name}`;
    if (wanted !== model.id) {
      throw new InvalidRequestError(
        `The model '${wanted}' does not exist. This server serves '${model.id}'.`,
        { status: 404, code: 'model_not_found', param: 'model' },
      );
    }
    ctx.body = model;
  };
}

function describe(modelPath: string) {
  return {
    id: modelIdOf(modelPath),
    object: 'model',
    created: Math.floor(Date.now() / 1000),
    owned_by: 'sightglass',
  };
}
