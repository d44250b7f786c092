import { useState } from 'preact/hooks';
import { call, run } from '../bridge.ts';

/** The panel goes when another app gets the focus, which a drag from Finder takes first. */
export function KeepOpen() {
  const [keep, setKeep] = useState(false);
  return (
    <label class="row keep-open">
      <input
        type="checkbox"
        checked={keep}
        onChange={(event) => {
          setKeep(event.currentTarget.checked);
          run(call('keepOpen', { keep: event.currentTarget.checked }));
        }}
      />
      Keep this panel open while I drag a picture from Finder
    </label>
  );
}
