import assert from 'node:assert/strict';
import { test } from 'node:test';
import { modelIdOf } from '../../../server/http/models.ts';

for (const [path, id] of [
  ['mlx-community/Qwen3-VL-4B-Instruct-4bit', 'mlx-community/Qwen3-VL-4B-Instruct-4bit'],
  ['/models/my-model', 'my-model'],
  ['./my-model', 'my-model'],
  ['/hf/hub/models--mlx-community--Qwen3-VL-4B/snapshots/0a1b2c', 'mlx-community/Qwen3-VL-4B'],
  ['/hf/hub/models--a--b--c/snapshots/0a1b2c/', 'a/b--c'],
  ['/hf/hub/models--a--b/snapshots', 'snapshots'],
] as const) {
  test(`the model at ${path} has the id ${id}`, () => {
    assert.equal(modelIdOf(path), id);
  });
}
