import type { RequestRecord } from '../server/activity.ts';
import type { RequestView, Snapshot, Trouble, UpdateView } from '../server/contract.ts';
import { modelIdOf } from '../server/http/models.ts';
import type { LoadHistory } from './load-history.ts';
import type { ModelLibrary } from './model-library.ts';
import type { ServiceController } from './service-controller.ts';
import { toRuntimeView } from './service-view.ts';
import type { SettingsStore } from './settings-store.ts';

const MAX_ACTIVE = 100;
const MAX_RECENT = 50;

export interface SnapshotParts {
  controller: ServiceController;
  models: ModelLibrary;
  store: SettingsStore;
  history: LoadHistory;
  trouble: Trouble | undefined;
  update: UpdateView | undefined;
}

/** Takes a snapshot of everything the panel shows. */
export function takeSnapshot({
  controller,
  models,
  store,
  history,
  trouble,
  update,
}: SnapshotParts): Snapshot {
  const { settings, recentModels } = store;
  const { activity, service } = controller;
  const active = activity.active().map(toRequestView).sort(byState);
  const running = active.filter(({ state }) => state === 'running').length;
  const { modelPath } = settings;
  return {
    at: Date.now(),
    server: controller.view,
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
    active: active.slice(0, MAX_ACTIVE),
    unlisted: Math.max(0, active.length - MAX_ACTIVE),
    recent: activity.recent().slice(0, MAX_RECENT).map(toRequestView),
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

/** Sorts running requests first, otherwise in order of arrival. */
function byState(a: RequestView, b: RequestView): number {
  return Number(b.state === 'running') - Number(a.state === 'running');
}

function toRequestView(record: Readonly<RequestRecord>): RequestView {
  const state = record.startedAt === undefined ? 'waiting' : 'running';
  return { ...record, state: record.endedAt === undefined ? state : 'ended' };
}
