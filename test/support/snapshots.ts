import { AppSettings, type RequestView, type Snapshot } from '../../server/contract.ts';

const now = Date.now();
export const trouble = {
  at: now,
  message: 'The model’s process ended unexpectedly (killed by SIGKILL).',
  remedy: 'It is restarting. Waiting requests are answered once it is ready.',
};

/** Requests in flight, the first `running` of them running. */
export function inFlight(count: number, running: number): RequestView[] {
  return Array.from({ length: count }, (_, index) => ({
    id: `req-${(0x12345678 + index * 7919).toString(16)}-aaaa`,
    kind: 'vision' as const,
    stream: index === 1,
    client: '127.0.0.1',
    state: index < running ? ('running' as const) : ('waiting' as const),
    arrivedAt: now - 1000 * (count - index),
    ...(index < running ? { startedAt: now - 900 } : {}),
    tokens: index < running ? 40 + index : 0,
  }));
}

const ended: RequestView[] = ['ok', 'ok', 'client_gone', 'queue_timeout'].map((outcome, index) => ({
  id: `req-ended-${index}`,
  kind: 'vision',
  stream: false,
  client: '127.0.0.1',
  state: 'ended',
  arrivedAt: now - 60_000 - index * 9000,
  startedAt: now - 59_400 - index * 9000,
  endedAt: now - 55_000 - index * 9000,
  tokens: 120 + index,
  outcome,
}));

const settings = AppSettings.parse({ modelPath: '/models/Qwen3-VL-8B-Instruct-4bit' });

/** A snapshot of a service that is ready, with changes to it. */
export function snapshot(
  over: Partial<Snapshot> = {},
  load: Partial<Snapshot['load']> = {},
): Snapshot {
  return {
    at: now,
    server: { phase: 'on', url: 'http://127.0.0.1:8000' },
    runtime: { phase: 'ready', loadSeconds: 3, memoryBytes: 5e9 },
    model: 'Qwen3-VL-8B-Instruct-4bit',
    load: {
      running: 0,
      waiting: 0,
      streams: 0,
      tokensPerSecond: 0,
      maxConcurrency: 2,
      queueSize: 100,
      ...load,
    },
    active: [],
    unlisted: 0,
    recent: ended,
    settings,
    recentModels: [],
    downloads: [],
    hasHubToken: false,
    ...over,
  };
}

const busyLoad = { running: 3, waiting: 12, streams: 1, tokensPerSecond: 87.4 };
const { modelPath: _, ...withoutModel } = settings;

/** Every state that the panel can be in. */
export const STATES: Readonly<Record<string, Snapshot>> = {
  off: snapshot({ server: { phase: 'off' }, runtime: { phase: 'stopped' } }),
  starting: snapshot({ server: { phase: 'starting' }, runtime: { phase: 'stopped' } }),
  loading: snapshot({ runtime: { phase: 'loading' } }),
  ready: snapshot(),
  unloaded: snapshot({ runtime: { phase: 'unloaded' } }),
  busy: snapshot({ active: inFlight(15, 3) }, busyLoad),
  draining: snapshot({ server: { phase: 'draining' }, active: inFlight(2, 2) }, { running: 2 }),
  crashed: snapshot({ runtime: { phase: 'crashed', trouble }, trouble }),
  failed: snapshot({ runtime: { phase: 'failed', trouble }, trouble }),
  'port taken': snapshot({
    server: {
      phase: 'failed',
      trouble: {
        at: now,
        message: 'Port 8000 is already in use.',
        remedy: 'Choose another port, or quit the app that uses this one.',
        freePort: 8001,
      },
    },
    runtime: { phase: 'stopped' },
  }),
  'key locked': snapshot({
    server: {
      phase: 'failed',
      trouble: {
        at: now,
        message: 'The API key could not be read from the keychain, so the server was not started.',
        remedy: 'Unlock the keychain and try again, or enter a new key or remove it in Settings.',
      },
    },
    runtime: { phase: 'stopped' },
    lockedSecrets: ['apiKey', 'hubToken'],
  }),
  'update on its way': snapshot(
    {
      update: { phase: 'downloading', version: '0.2.0', percent: 43 },
      active: inFlight(2, 2),
    },
    { running: 2 },
  ),
  'update ready': snapshot({ update: { phase: 'ready', version: '0.2.0' } }),
  'no model': {
    ...snapshot({ server: { phase: 'off' }, runtime: { phase: 'stopped' }, recent: [] }),
    model: undefined,
    settings: withoutModel,
  },
};

/** A history with ups and downs, up to now. */
export const history = Array.from({ length: 240 }, (_each, index) => ({
  at: now - (240 - index) * 1000,
  running: Math.max(0, Math.round(1.5 + 1.5 * Math.sin(index / 15))),
  waiting: Math.max(0, Math.round(4 * Math.sin(index / 22))),
  tokensPerSecond: 60 + 40 * Math.sin(index / 9),
}));

export const logLines = Array.from({ length: 40 }, (_each, number) => ({
  number,
  at: now - (40 - number) * 1000,
  level: number % 9 === 8 ? ('warn' as const) : ('info' as const),
  text: `request  id=req-${number}  kind=vision  durationMs=1840  outcome=ok`,
}));
