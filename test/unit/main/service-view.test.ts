import assert from 'node:assert/strict';
import { test } from 'node:test';
import { toServerView } from '../../../main/service-view.ts';

for (const [host, url, networkUrl] of [
  ['127.0.0.1', 'http://127.0.0.1:8000', undefined],
  ['localhost', 'http://localhost:8000', undefined],
  ['0.0.0.0', 'http://127.0.0.1:8000', 'http://192.168.1.7:8000'],
  ['192.168.1.7', 'http://192.168.1.7:8000', 'http://192.168.1.7:8000'],
] as const) {
  test(`a service on ${host} has the URL ${url}`, () => {
    const view = toServerView({ host }, 8000, ['192.168.1.7']);
    assert.deepEqual(view, { phase: 'on', url, ...(networkUrl ? { networkUrl } : {}) });
  });
}
