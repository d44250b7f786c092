import { truncate } from 'node:fs/promises';
import { WEIGHTS_BYTES } from '../support/hub/hub-test.ts';
import { testPartialFile, testRepair } from './damaged-downloads.ts';

testPartialFile('longer than the whole file', WEIGHTS_BYTES + 1);
testPartialFile('shorter, but wrong', 1_000_000);
testRepair('was cut short', (file) => truncate(file, 10));
