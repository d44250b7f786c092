import { benchGateway } from './gateway.ts';
import { benchQueue } from './queue.ts';

await benchQueue();
await benchGateway();
