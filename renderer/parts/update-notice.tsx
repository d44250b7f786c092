import type { UpdateView } from '../../server/contract.ts';
import { call, run } from '../bridge.ts';
import { ProgressBar } from './progress-bar.tsx';

/** An update that is being downloaded, or is ready to be installed. */
export function UpdateNotice({ update }: { update: UpdateView | undefined }) {
  if (update === undefined || update.phase === 'checking') return null;
  const name = `Sightglass ${update.version}`;
  if (update.phase === 'ready') {
    return (
      <section class="update" aria-label="Update">
        <p class="grow" role="status">
          {name} will be installed when you quit.
        </p>
        <button type="button" class="small" onClick={() => run(call('quit'))}>
          Quit and Install
        </button>
      </section>
    );
  }
  const isDownloading = update.phase === 'downloading';
  return (
    <section class="update" aria-label="Update">
      <p class="grow">
        {isDownloading ? `Downloading ${name}: ${update.percent}%` : `Preparing ${name}…`}
      </p>
      <ProgressBar
        label={isDownloading ? `Downloading ${name}` : `Preparing ${name}`}
        done={isDownloading ? update.percent : 0}
        of={isDownloading ? 100 : undefined}
      />
    </section>
  );
}
