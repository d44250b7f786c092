import assert from 'node:assert/strict';
import { test } from 'node:test';
import { toTrayMenu, toTrayView } from '../../../main/tray-view.ts';
import type { RuntimeView, ServerView, Snapshot } from '../../../server/contract.ts';
import { AppSettings } from '../../../server/contract.ts';

const trouble = { at: 0, message: 'It broke.', remedy: 'Mend it.' };
const on: ServerView = { phase: 'on', url: 'http://localhost:8000' };
const ready: RuntimeView = { phase: 'ready', loadSeconds: 1, memoryBytes: 1 };

function snapshot(over: Partial<Snapshot> = {}, load: Partial<Snapshot['load']> = {}): Snapshot {
  return {
    at: 0,
    server: on,
    runtime: ready,
    model: 'demo',
    load: {
      running: 0,
      waiting: 0,
      streams: 0,
      tokensPerSecond: 0,
      maxConcurrency: 1,
      queueSize: 100,
      ...load,
    },
    active: [],
    unlisted: 0,
    recent: [],
    settings: AppSettings.parse({ modelPath: '/models/demo' }),
    recentModels: ['/models/demo', 'owner/name'],
    downloads: [],
    hasHubToken: false,
    ...over,
  };
}

const shapes: [what: string, snapshot: Snapshot, icon: string, title: string, tooltip: RegExp][] = [
  ['off', snapshot({ server: { phase: 'off' } }), 'stopped', '', /stopped/],
  ['failed to start', snapshot({ server: { phase: 'failed', trouble } }), 'failed', '', /It broke/],
  ['model failed', snapshot({ runtime: { phase: 'failed', trouble } }), 'failed', '', /It broke/],
  ['loading', snapshot({ runtime: { phase: 'loading' } }), 'loading', '', /loading demo/],
  [
    'crashed',
    snapshot({ runtime: { phase: 'crashed', trouble } }),
    'loading',
    '',
    /restarting the model/,
  ],
  ['draining', snapshot({ server: { phase: 'draining' } }), 'loading', '', /stopping/],
  ['unloaded', snapshot({ runtime: { phase: 'unloaded' } }), 'ready', '', /next request/],
  ['ready', snapshot(), 'ready', '', /demo is ready/],
  ['busy', snapshot({}, { running: 1 }), 'busy', '', /1 running, 0 waiting/],
  [
    'busy, with requests waiting',
    snapshot({}, { running: 2, waiting: 12 }),
    'busy',
    '12',
    /2 running, 12 waiting/,
  ],
];
for (const [what, shown, icon, title, tooltip] of shapes) {
  test(`the menu bar shows: ${what}`, () => {
    const view = toTrayView(shown);
    assert.deepEqual([view.icon, view.title], [icon, title]);
    assert.match(view.tooltip, tooltip);
  });
}

const enabled = (shown: Snapshot) =>
  toTrayMenu(shown)
    .filter(({ isSeparator, enabled: is = true }) => !isSeparator && is)
    .map(({ label }) => label);

test('the menu of a running server offers Stop and Copy URL', () => {
  assert.deepEqual(enabled(snapshot()), [
    'Stop',
    'Copy URL',
    'Models…',
    'Recent Models',
    'Open Sightglass',
    'Settings…',
    'Open Logs',
    'Copy Diagnostics',
    'Check for Updates…',
    'Quit Sightglass',
  ]);
});

test('the menu of a stopped server offers Start, and Copy URL is disabled', () => {
  const labels = enabled(snapshot({ server: { phase: 'off' }, recentModels: [] }));
  assert.deepEqual(labels.slice(0, 2), ['Start', 'Models…']);
});

test('recent models show the last part of their paths, with the current one checked', () => {
  const models = toTrayMenu(snapshot()).find(({ label }) => label === 'Recent Models')?.submenu;
  assert.deepEqual(models, [
    { label: 'demo', checked: true, action: { do: 'useModel', path: '/models/demo' } },
    { label: 'owner/name', checked: false, action: { do: 'useModel', path: 'owner/name' } },
  ]);
});

const updates = [
  [undefined, 'Check for Updates…', true],
  [{ phase: 'checking' }, 'Checking for Updates…', false],
  [{ phase: 'downloading', version: '0.2.0', percent: 43 }, 'Downloading 0.2.0: 43%', false],
  [{ phase: 'preparing', version: '0.2.0' }, 'Preparing 0.2.0…', false],
  [{ phase: 'ready', version: '0.2.0' }, 'Quit and Install 0.2.0', true],
] as const;
for (const [update, label, isEnabled] of updates) {
  test(`the menu’s update item: ${update?.phase ?? 'no update'}`, () => {
    const menu = toTrayMenu(snapshot(update === undefined ? {} : { update }));
    const item = menu.find((each) => each.label === label);
    assert.equal(item?.enabled ?? true, isEnabled);
    assert.equal(item?.action !== undefined, isEnabled);
  });
}
