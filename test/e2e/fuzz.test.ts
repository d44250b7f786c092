import { after, before, test } from 'node:test';
import { fuzz } from '../support/hostile-bodies.ts';
import { type RunningService, startService } from '../support/service.ts';

let running: RunningService;
before(async () => {
  running = await startService({ maxConcurrency: 8, allowTextOnly: true });
});
after(() => running.stop());

test('60 generated bodies are each answered or refused with 4xx, and the server keeps running', (t) =>
  fuzz(t, running.url, 60));
