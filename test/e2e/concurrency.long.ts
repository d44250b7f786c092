import { after, before } from 'node:test';
import { type RunningService, startService } from '../support/service.ts';
import { testOwnPictures } from './own-pictures.ts';

let running: RunningService;
before(async () => {
  running = await startService({ maxConcurrency: 8 });
});
after(() => running.stop());

testOwnPictures(() => running.url, { concurrent: 32, alternating: 100 });
