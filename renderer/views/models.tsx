import type { Snapshot } from '../../server/contract.ts';
import { changeSettings, useFoundModels } from '../hooks.ts';
import { Downloads } from '../parts/downloads.tsx';
import { FoundModels } from '../parts/found-models.tsx';
import { HubToken } from '../parts/hub-forms.tsx';
import { ServingNow } from '../parts/serving-now.tsx';
import { SuggestedModels } from '../parts/suggested-models.tsx';

/** The model that is served, those that could be, and those that can be had. */
export function Models({ snapshot }: { snapshot: Snapshot }) {
  const search = useFoundModels(snapshot);
  return (
    <>
      <ServingNow snapshot={snapshot} />
      <Downloads downloads={snapshot.downloads} use={false} />
      <FoundModels
        snapshot={snapshot}
        search={search}
        onUse={(modelPath) => changeSettings({ modelPath })}
      />
      <SuggestedModels snapshot={snapshot} found={search.found} use={false} />
      <HubToken
        isKept={snapshot.hasHubToken}
        isLocked={snapshot.lockedSecrets?.includes('hubToken') === true}
      />
    </>
  );
}
