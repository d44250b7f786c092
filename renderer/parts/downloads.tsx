import type { Download } from '../../server/contract.ts';
import { DownloadRow } from './download-row.tsx';

/** The models on their way here. `use`: to be served once they are. */
export function Downloads({ downloads, use }: { downloads: readonly Download[]; use: boolean }) {
  if (downloads.length === 0) return null;
  return (
    <section class="downloads" aria-label="Downloads">
      <h2>Downloads</h2>
      <ul class="models">
        {downloads.map((download) => (
          <DownloadRow key={download.id} download={download} use={use} />
        ))}
      </ul>
    </section>
  );
}
