import type { Snapshot } from '../../server/contract.ts';
import { changeSettings } from '../bridge.ts';
import { useFoundModels } from '../model-search.ts';
import { Downloads } from '../parts/downloads.tsx';
import { FoundModels } from '../parts/found-models.tsx';
import { HubToken } from '../parts/hub-forms.tsx';
import { ServingNow } from '../parts/serving-now.tsx';
import { SuggestedModels } from '../parts/suggested-models.tsx';

/** The current model, the other models on this Mac, and models to download. */
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
