import type { Fit } from '../../server/contract.ts';
import { FIT_WORDS } from '../model-words.ts';

/** Whether there is room for a model, in a word; pressed, it opens the numbers. */
export function FitBadge({
  fit,
  of,
  isOpen,
  onToggle,
}: {
  fit: Fit;
  of: string;
  isOpen: boolean;
  onToggle: () => void;
}) {
  return (
    <button
      type="button"
      class={`fit fit-${fit.verdict}`}
      aria-expanded={isOpen}
      aria-label={`${FIT_WORDS[fit.verdict]}: ${of} in numbers`}
      title="Show the numbers"
      onClick={onToggle}
    >
      {FIT_WORDS[fit.verdict]}
    </button>
  );
}
