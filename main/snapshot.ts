import type { RequestRecord } from '../server/activity.ts';
import type { RequestView, Snapshot, Trouble, UpdateView } from '../server/contract.ts';
import { modelIdOf } from '../server/http/models.ts';
import type { LoadHistory } from './load-history.ts';
import type { ModelShelf } from './model-shelf.ts';
import type { ServiceSwitch } from './service-switch.ts';
import type { SettingsStore } from './settings-store.ts';
import { toRuntimeView } from './views.ts';

const LISTED = 100;
const RECENT = 50;

export interface SnapshotParts {
  power: ServiceSwitch;
  models: ModelShelf;
  store: SettingsStore;
  history: LoadHistory;
  trouble: Trouble | undefined;
  update: UpdateView | undefined;
}

/** Everything the panel shows, as it is now. */
export function takeSnapshot({
  power,
  models,
  store,
  history,
  trouble,
  update,
}: SnapshotParts): Snapshot {
  const { settings, recentModels } = store;
  const { activity, service } = power;
  const active = activity.active().map(toRequestView).sort(byState);
  const running = active.filter(({ state }) => state === 'running').length;
  const { modelPath } = settings;
  return {
    at: Date.now(),
    server: power.view,
    runtime: toRuntimeView(service?.runtime.state ?? { phase: 'stopped' }),
    ...(modelPath === undefined ? {} : { model: modelIdOf(modelPath) }),
    load: {
      running,
      waiting: active.length - running,
      streams: activity.streams,
      tokensPerSecond: history.tokensPerSecond,
      maxConcurrency: settings.maxConcurrency,
      queueSize: settings.queueSize,
    },
    active: active.slice(0, LISTED),
    unlisted: Math.max(0, active.length - LISTED),
    recent: activity.recent().slice(0, RECENT).map(toRequestView),
    textOnlyClients: [...activity.textOnlyClients()],
    ...(trouble === undefined ? {} : { trouble }),
    settings,
    recentModels: [...recentModels],
    downloads: [...models.downloads],
    ...(models.check === undefined ? {} : { check: models.check }),
    hasHubToken: store.hubToken !== undefined,
    lockedSecrets: [...store.lockedSecrets],
    ...(update === undefined ? {} : { update }),
  };
}

/** Running ones first; else as they came. */
function byState(a: RequestView, b: RequestView): number {
  return Number(b.state === 'running') - Number(a.state === 'running');
}

function toRequestView(record: Readonly<RequestRecord>): RequestView {
  const state = record.startedAt === undefined ? 'waiting' : 'running';
  return { ...record, state: record.endedAt === undefined ? state : 'ended' };
}
