import { useState } from 'preact/hooks';
import type { SuggestedModel } from '../../server/contract.ts';
import { toSize } from '../format.ts';
import { toFitNumbers } from '../model-words.ts';
import { useAttempt } from '../use-attempt.ts';
import { FitBadge } from './fit-badge.tsx';
import { ProblemLine } from './problem-line.tsx';

/** A model that can be downloaded, unless it is here or on its way. */
export function SuggestedModelRow({
  model: { id, name, bytes, licence, note, fit },
  whereabouts,
  onDownload,
}: {
  model: SuggestedModel;
  whereabouts: string | undefined;
  onDownload: () => Promise<unknown>;
}) {
  const [isOpen, setOpen] = useState(false);
  const { problem, attempt } = useAttempt();
  return (
    <li class="model-row suggested-row">
      <div class="model-text" title={id}>
        <p class="model-name">{name}</p>
        <p class="model-facts">
          {toSize(bytes)} · {licence}
        </p>
      </div>
      <FitBadge fit={fit} of={name} isOpen={isOpen} onToggle={() => setOpen(!isOpen)} />
      {whereabouts === undefined ? (
        <button
          type="button"
          class="small"
          aria-label={`Download ${name}`}
          onClick={() => attempt(onDownload)}
        >
          Download
        </button>
      ) : (
        <span class="whereabouts">{whereabouts}</span>
      )}
      <p class="note">{note}</p>
      {isOpen && <p class="model-more">{toFitNumbers(fit)}</p>}
      <ProblemLine text={problem} />
    </li>
  );
}
