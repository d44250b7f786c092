import { type SettingField, toText } from '../setting-fields.ts';

/** One setting: its label, field, help text and problem. */
export function SettingRow({
  field,
  value,
  problem,
  onChange,
}: {
  field: SettingField;
  value: unknown;
  problem: string | undefined;
  onChange: (value: string | boolean) => void;
}) {
  const { name, label, kind, unit, help, empty, choices = [] } = field;
  const described = [help && `${name}-help`, problem && `${name}-problem`]
    .filter(Boolean)
    .join(' ');
  const about = {
    id: name,
    ...(described === '' ? {} : { 'aria-describedby': described }),
    ...(problem === undefined ? {} : { 'aria-invalid': true }),
  };
  return (
    <div class={`setting setting-${kind}`}>
      <label for={name}>{label}</label>
      <div class="setting-field">
        {kind === 'switch' ? (
          <input
            {...about}
            type="checkbox"
            class="switch"
            checked={value === true}
            onChange={(event) => onChange(event.currentTarget.checked)}
          />
        ) : kind === 'choice' ? (
          <select
            {...about}
            value={toText(value)}
            onChange={(event) => onChange(event.currentTarget.value)}
          >
            {choices.map(([each, words]) => (
              <option key={each} value={each}>
                {words}
              </option>
            ))}
          </select>
        ) : (
          <input
            {...about}
            inputMode={kind === 'number' ? 'decimal' : 'text'}
            value={toText(value)}
            placeholder={empty}
            spellcheck={false}
            onInput={(event) => onChange(event.currentTarget.value)}
          />
        )}
        {unit !== undefined && <span class="unit">{unit}</span>}
      </div>
      {help !== undefined && (
        <p id={`${name}-help`} class="help">
          {help}
        </p>
      )}
      {problem !== undefined && (
        <p id={`${name}-problem`} class="problem">
          {problem}
        </p>
      )}
    </div>
  );
}
