import { useRef, useState } from 'preact/hooks';
import type { Download } from '../../server/contract.ts';
import { call, useAttempt } from '../bridge.ts';
import { toSize } from '../format.ts';
import { toDownloadLabel } from '../labels.ts';
import { Confirmation, InlineError, ProgressBar } from './controls.tsx';
import { HubTokenForm } from './hub-forms.tsx';

/** The downloads in progress. With `use`, a resumed download is served once it is complete. */
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

/** Failures that an access token may fix. */
const TOKEN_REASONS: ReadonlySet<string | undefined> = new Set([
  'gated',
  'bad_token',
  'model_not_found', // the Hub's answer for private models
]);

/** One download, with its progress, its error and its buttons. */
function DownloadRow({ download, use }: { download: Download; use: boolean }) {
  const { id, phase, doneBytes, totalBytes, problem: failure } = download;
  const [asks, setAsks] = useState(false);
  const button = useRef<HTMLButtonElement>(null);
  const { problem, attempt } = useAttempt();
  const resume = () => call('download', { id, use });
  const cancel = () => attempt(() => call('cancelDownload', { id }));
  const keep = () => {
    setAsks(false);
    button.current?.focus();
  };
  const isStopped = phase === 'paused' || phase === 'failed';
  return (
    <li class="download">
      <div class="download-head">
        <p class="model-name grow">{id}</p>
        <button
          type="button"
          class="small"
          aria-label={`${isStopped ? toResumeLabel(phase) : 'Pause'} the download of ${id}`}
          aria-disabled={phase === 'verifying'}
          onClick={() => {
            if (phase === 'verifying') return;
            attempt(isStopped ? resume : () => call('pauseDownload', { id }));
          }}
        >
          {isStopped ? toResumeLabel(phase) : 'Pause'}
        </button>
        <button
          type="button"
          class="small"
          ref={button}
          aria-label={`Cancel the download of ${id}`}
          onClick={() => (doneBytes === 0 ? cancel() : setAsks(true))}
        >
          Cancel
        </button>
      </div>
      <ProgressBar label={`Download of ${id}`} done={doneBytes} of={totalBytes} />
      <p class="model-facts">{toDownloadLabel(download)}</p>
      {asks && (
        <Confirmation
          question={`Cancel the download and delete the ${toSize(doneBytes)} downloaded so far?`}
          yes={`Delete ${toSize(doneBytes)}`}
          no="Keep"
          onYes={() => {
            setAsks(false);
            cancel();
          }}
          onNo={keep}
        />
      )}
      <DownloadProblem download={download} />
      {TOKEN_REASONS.has(failure?.reason) && <HubTokenForm onSaved={resume} />}
      <InlineError text={problem} />
    </li>
  );
}

function DownloadProblem({ download: { phase, problem } }: { download: Download }) {
  if (problem === undefined) return null;
  return (
    <div class="failure">
      <p class={phase === 'failed' ? 'problem' : 'help'}>{problem.message}</p>
      <p class="help">{problem.remedy}</p>
    </div>
  );
}

function toResumeLabel(phase: 'paused' | 'failed'): string {
  return phase === 'paused' ? 'Resume' : 'Try Again';
}
