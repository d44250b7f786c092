import { useEffect, useState } from 'preact/hooks';
import type { FoundModel } from '../../server/contract.ts';
import { call, run } from '../bridge.ts';
import { toSize } from '../format.ts';

/** A model from this Mac, a folder, or an id of Hugging Face. */
export function ModelChoice({
  chosen,
  onChoose,
}: {
  chosen?: string | undefined;
  onChoose: (path: string) => void;
}) {
  const [found, setFound] = useState<readonly FoundModel[]>();
  const [id, setId] = useState('');
  useEffect(() => {
    const none = () => setFound((before) => before ?? []);
    run(call('findModels').then(setFound).finally(none));
  }, []);
  const chooseFolder = async () => {
    const folder = await call('chooseModelFolder');
    if (folder !== undefined) onChoose(folder);
  };
  return (
    <div class="model-choice">
      <h3>On this Mac</h3>
      <ul class="models" aria-busy={found === undefined}>
        {found?.map(({ path, name, place, bytes, type }) => (
          <li key={path}>
            <button
              type="button"
              aria-pressed={path === chosen}
              onClick={() => onChoose(path)}
              title={path}
            >
              <span class="model-name">{name}</span>
              <span class="model-facts">
                {toSize(bytes)} · {type} · {place}
              </span>
            </button>
          </li>
        ))}
        {found === undefined && <li class="empty">Looking…</li>}
        {found?.length === 0 && (
          <li class="empty">No vision models in the Hugging Face cache, LM Studio or omlx.</li>
        )}
      </ul>
      <button type="button" onClick={() => run(chooseFolder())}>
        Choose a Folder…
      </button>
      <form
        class="row"
        onSubmit={(event) => {
          event.preventDefault();
          if (id.trim() !== '') onChoose(id.trim());
        }}
      >
        <label class="grow">
          <span>or a Hugging Face id</span>
          <input
            value={id}
            placeholder="mlx-community/Qwen2-VL-2B-Instruct-4bit"
            onInput={(event) => setId(event.currentTarget.value)}
            spellcheck={false}
          />
        </label>
        <button type="submit" disabled={id.trim() === ''}>
          Use
        </button>
      </form>
    </div>
  );
}
