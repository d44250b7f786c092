import assert from 'node:assert/strict';
import { test } from 'node:test';
import { changeSettings, toServiceSettings } from '../../../main/settings-changer.ts';
import { AppSettings } from '../../../server/contract.ts';

const settings = AppSettings.parse({ modelPath: '/models/one', apiKey: 'sk-1' });

test('a change is made to what was there, and null takes a setting back to its default', () => {
  const changed = changeSettings(settings, { maxConcurrency: 4, apiKey: null, port: null });
  assert.deepEqual(changed, {
    ok: true,
    settings: { ...AppSettings.parse({ modelPath: '/models/one' }), maxConcurrency: 4 },
  });
});

const wrong: [changes: Record<string, unknown>, setting: string, message: string][] = [
  [{ maxConcurrency: 0 }, 'maxConcurrency', 'Give at least 1.'],
  [{ maxConcurrency: 1.5 }, 'maxConcurrency', 'Give a whole number.'],
  [{ maxConcurrency: 'many' }, 'maxConcurrency', 'Give a number.'],
  [{ port: 70_000 }, 'port', 'Give at most 65535.'],
  [{ queueTimeoutSeconds: 0 }, 'queueTimeoutSeconds', 'Give more than 0.'],
  [{ apiKey: 'two words' }, 'apiKey', 'Give letters, digits and signs of ASCII, no spaces.'],
  [{ host: ' ' }, 'host', 'Give at least one character.'],
  [{ hubEndpoint: 'hub' }, 'hubEndpoint', 'Give an address such as https://hub.example.'],
  [{ banana: 1 }, 'banana', 'There is no such setting.'],
];
for (const [changes, setting, message] of wrong) {
  test(`${JSON.stringify(changes)} is refused with what would be right`, () => {
    const problems = [{ setting, message }];
    assert.deepEqual(changeSettings(settings, changes), { ok: false, problems });
  });
}

test('all that is wrong is told at once', () => {
  const changed = changeSettings(settings, { port: -1, queueSize: -1 });
  const named = changed.ok ? [] : changed.problems.map(({ setting }) => setting);
  assert.deepEqual(named.sort(), ['port', 'queueSize']);
});

test('the service is given its own settings, and a service without a model is none', () => {
  const { startAtLogin: _, startServerAtLaunch: __, modelFolders: ___, ...own } = settings;
  assert.deepEqual(toServiceSettings(settings), { ...own, modelType: 'mlx_vlm' });
  assert.throws(() => toServiceSettings(AppSettings.parse({})));
});
