import { useEffect, useRef, useState } from 'preact/hooks';
import type { SettingProblem, SettingsChange, Snapshot } from '../../server/contract.ts';
import { call, run } from '../bridge.ts';
import { NetworkSettings } from '../parts/network-settings.tsx';
import { SettingRow } from '../parts/setting-row.tsx';
import { ADVANCED, FIELDS, type SettingField, toText, toValue } from '../setting-fields.ts';

type Draft = Readonly<Record<string, string | boolean>>;

const APPLIED: Readonly<Record<SettingsChange['applied'], string>> = {
  now: 'Applied.',
  server_restarted: 'Applied. The server listens on its new address.',
  model_reloading: 'Applied. The model is being loaded.',
  no: 'Not applied: see above.',
};

/** The settings form. The main process validates the changes, and reports how they were applied. */
export function SettingsView({ snapshot: { settings, lockedSecrets } }: { snapshot: Snapshot }) {
  const { draft, problems, status, shown, set, save } = useSettingsDraft(settings);
  const form = useRef<HTMLFormElement>(null);
  useEffect(() => {
    form.current?.querySelector<HTMLElement>('[aria-invalid="true"]')?.focus();
  }, [problems]);
  const problemOf = (name: string) => problems.find(({ setting }) => setting === name)?.message;
  const isWrong = ({ name }: SettingField) => problemOf(name) !== undefined;
  const rows = (fields: readonly SettingField[]) =>
    fields.map((field) => (
      <SettingRow
        key={field.name}
        field={field}
        value={shown(field.name)}
        problem={problemOf(field.name)}
        onChange={set(field.name)}
      />
    ));
  return (
    <section class="settings" aria-label="Settings">
      <form
        ref={form}
        onSubmit={(event) => {
          event.preventDefault();
          save();
        }}
      >
        <h2>Server</h2>
        {rows(FIELDS)}
        <NetworkSettings
          host={toText(shown('host'))}
          apiKey={toText(shown('apiKey'))}
          isKeyLocked={lockedSecrets?.includes('apiKey') === true && draft['apiKey'] === undefined}
          hostProblem={problemOf('host')}
          keyProblem={problemOf('apiKey')}
          onHost={set('host')}
          onKey={set('apiKey')}
        />
        <details class="advanced" {...(ADVANCED.some(isWrong) ? { open: true } : {})}>
          <summary>
            <h2>Advanced</h2>
          </summary>
          {rows(ADVANCED)}
        </details>
        <div class="save row">
          <button type="submit" class="primary" aria-disabled={Object.keys(draft).length === 0}>
            Apply
          </button>
          <p class="help grow" role="status">
            {status}
          </p>
        </div>
      </form>
    </section>
  );
}

/** The user's unsaved changes, and the result of the last save. */
function useSettingsDraft(settings: Snapshot['settings']) {
  const [draft, setDraft] = useState<Draft>({});
  const [problems, setProblems] = useState<readonly SettingProblem[]>([]);
  const [status, setStatus] = useState('');
  const change = async (changes: Record<string, unknown>) => {
    const result = await call('changeSettings', changes);
    setStatus(APPLIED[result.applied]);
    setProblems(result.applied === 'no' ? result.problems : []);
    if (result.applied === 'no') return;
    const isUnsaved = ([name]: [string, unknown]) => !(name in changes);
    setDraft((before) => Object.fromEntries(Object.entries(before).filter(isUnsaved)));
  };
  const save = () => {
    const fields = [...FIELDS, ...ADVANCED];
    const changes = Object.entries(draft).map(([name, value]) => {
      const field = fields.find((each) => each.name === name) ?? { kind: 'text' };
      return [name, typeof value === 'string' ? toValue(field as SettingField, value) : value];
    });
    if (changes.length > 0) run(change(Object.fromEntries(changes)));
  };
  const shown = (name: string): unknown => draft[name] ?? settings[name as keyof typeof settings];
  const set = (name: string) => (value: string | boolean) => {
    setStatus('');
    setDraft((before) => ({ ...before, [name]: value }));
  };
  return { draft, problems, status, shown, set, save };
}
