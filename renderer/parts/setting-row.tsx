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
  const { name, label, kind, unit, help } = field;
  const described = [help && `${name}-help`, problem && `${name}-problem`]
    .filter(Boolean)
    .join(' ');
  const attributes = {
    id: name,
    ...(described === '' ? {} : { 'aria-describedby': described }),
    ...(problem === undefined ? {} : { 'aria-invalid': true }),
  };
  return (
    <div class={`setting setting-${kind}`}>
      <label for={name}>{label}</label>
      <div class="setting-field">
        <SettingControl field={field} value={value} attributes={attributes} onChange={onChange} />
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

/** The input of a setting: a switch, a choice or a text field. */
function SettingControl({
  field: { kind, empty, choices = [] },
  value,
  attributes,
  onChange,
}: {
  field: SettingField;
  value: unknown;
  attributes: object;
  onChange: (value: string | boolean) => void;
}) {
  if (kind === 'switch') {
    return (
      <input
        {...attributes}
        type="checkbox"
        class="switch"
        checked={value === true}
        onChange={(event) => onChange(event.currentTarget.checked)}
      />
    );
  }
  if (kind === 'choice') {
    return (
      <select
        {...attributes}
        value={toText(value)}
        onChange={(event) => onChange(event.currentTarget.value)}
      >
        {choices.map(([choice, label]) => (
          <option key={choice} value={choice}>
            {label}
          </option>
        ))}
      </select>
    );
  }
  return (
    <input
      {...attributes}
      inputMode={kind === 'number' ? 'decimal' : 'text'}
      value={toText(value)}
      placeholder={empty}
      spellcheck={false}
      onInput={(event) => onChange(event.currentTarget.value)}
    />
  );
}
