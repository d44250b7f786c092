import { useState } from 'preact/hooks';
import type { ModelPlace } from '../../server/contract.ts';
import { type Applied, call, changeSettings, useAttempt } from '../bridge.ts';
import { InlineError } from './controls.tsx';

const APPLIED: Readonly<Record<Applied, string>> = {
  now: 'Chosen.',
  server_restarted: 'Chosen. The server was restarted.',
  model_reloading: 'Chosen. The model is being loaded.',
};

/** The user's folders: choose one that contains a model, or add folders to search. */
export function ModelFolders({
  folders,
  onUse,
  onSearch,
}: {
  folders: readonly string[];
  onUse: (path: string) => Promise<Applied>;
  onSearch: () => void;
}) {
  const [said, setSaid] = useState('');
  const { problem, attempt } = useAttempt();
  const choose = async () => {
    setSaid('');
    const folder = await call('chooseModelFolder');
    if (folder !== undefined) setSaid(APPLIED[await onUse(folder)]);
  };
  const add = async () => {
    setSaid('');
    const folder = await call('chooseModelFolder');
    if (folder === undefined) return;
    if (folders.includes(folder)) onSearch();
    else await changeSettings({ modelFolders: [...folders, folder] });
  };
  const remove = (folder: string) =>
    changeSettings({ modelFolders: folders.filter((each) => each !== folder) });
  return (
    <div class="folders">
      <FolderList folders={folders} onRemove={(folder) => attempt(() => remove(folder))} />
      <div class="buttons">
        <button type="button" onClick={() => attempt(choose)}>
          Choose a Folder…
        </button>
        <button type="button" onClick={() => attempt(add)}>
          Add a Folder…
        </button>
      </div>
      <p class="help" role="status">
        {said || 'Choose a folder that contains a model, or add a folder to search.'}
      </p>
      <InlineError text={problem} />
      <SearchedFolders />
    </div>
  );
}

function FolderList({
  folders,
  onRemove,
}: {
  folders: readonly string[];
  onRemove: (folder: string) => void;
}) {
  if (folders.length === 0) return null;
  return (
    <>
      <h3>Your Folders</h3>
      <ul class="folder-list" aria-label="Your folders">
        {folders.map((folder) => (
          <li key={folder} class="row">
            <span class="grow folder" title={folder}>
              {folder}
            </span>
            <button
              type="button"
              class="small"
              aria-label={`Remove the folder ${folder}`}
              onClick={() => onRemove(folder)}
            >
              Remove
            </button>
          </li>
        ))}
      </ul>
    </>
  );
}

/** The folders that are searched for models, listed when this is opened. */
function SearchedFolders() {
  const [places, setPlaces] = useState<readonly ModelPlace[]>([]);
  const { problem, attempt } = useAttempt();
  return (
    <details
      class="searched"
      onToggle={({ currentTarget }) => {
        if (currentTarget.open) attempt(async () => setPlaces(await call('modelPlaces')));
      }}
    >
      <summary>Where Sightglass looks</summary>
      <ul class="folder-list" aria-label="Where Sightglass looks">
        {places.map(({ name, folder, exists }) => (
          <li key={folder}>
            <span class="searched-name">
              {name === folder ? 'Your folder' : name}
              {!exists && ' · not found'}
            </span>
            <span class="folder" title={folder}>
              {folder}
            </span>
          </li>
        ))}
      </ul>
      <p class="help">
        An app opened from Finder does not see <code>HF_HOME</code> or <code>HF_HUB_CACHE</code>{' '}
        from your shell. If your models are elsewhere, add that folder.
      </p>
      <InlineError text={problem} />
    </details>
  );
}
