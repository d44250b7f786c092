import { after, before } from 'node:test';
import { type RunningService, startService } from '../support/service.ts';
import { testForcedCalls } from './forced-calls.ts';

let running: RunningService;
before(async () => {
  running = await startService();
});
after(() => running.stop());

testForcedCalls('responses', () => running.url);
testForcedCalls('messages', () => running.url);
