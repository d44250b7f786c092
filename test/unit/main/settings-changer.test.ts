import assert from 'node:assert/strict';
import { test } from 'node:test';
import { changeSettings, toServiceSettings } from '../../../main/settings-changer.ts';
import { AppSettings } from '../../../server/contract.ts';

const settings = AppSettings.parse({ modelPath: '/models/one', apiKey: 'sk-1' });

test('changes are merged into the settings, and null resets a setting to its default', () => {
  const changed = changeSettings(settings, { maxConcurrency: 4, apiKey: null, port: null });
  assert.deepEqual(changed, {
    ok: true,
    settings: { ...AppSettings.parse({ modelPath: '/models/one' }), maxConcurrency: 4 },
  });
});

const wrong: [changes: Record<string, unknown>, setting: string, message: string][] = [
  [{ maxConcurrency: 0 }, 'maxConcurrency', 'Must be at least 1.'],
  [{ maxConcurrency: 1.5 }, 'maxConcurrency', 'Must be a whole number.'],
  [{ maxConcurrency: 'many' }, 'maxConcurrency', 'Must be a number.'],
  [{ port: 70_000 }, 'port', 'Must be at most 65535.'],
  [{ queueTimeoutSeconds: 0 }, 'queueTimeoutSeconds', 'Must be more than 0.'],
  [
    { apiKey: 'two words' },
    'apiKey',
    'Must be letters, digits and punctuation in ASCII, without spaces.',
  ],
  [{ host: ' ' }, 'host', 'Must have at least one character.'],
  [{ hubEndpoint: 'hub' }, 'hubEndpoint', 'Must be an address such as https://hub.example.'],
  [{ banana: 1 }, 'banana', 'Unknown setting.'],
];
for (const [changes, setting, message] of wrong) {
  test(`${JSON.stringify(changes)} is rejected: ${message}`, () => {
    const problems = [{ setting, message }];
    assert.deepEqual(changeSettings(settings, changes), { ok: false, problems });
  });
}

test('all problems are reported together', () => {
  const changed = changeSettings(settings, { port: -1, queueSize: -1 });
  const named = changed.ok ? [] : changed.problems.map(({ setting }) => setting);
  assert.deepEqual(named.sort(), ['port', 'queueSize']);
});

test('the service receives only its own settings, and requires a model', () => {
  const { startAtLogin: _, startServerAtLaunch: __, modelFolders: ___, ...own } = settings;
  assert.deepEqual(toServiceSettings(settings), { ...own, modelType: 'mlx_vlm' });
  assert.throws(() => toServiceSettings(AppSettings.parse({})));
});
