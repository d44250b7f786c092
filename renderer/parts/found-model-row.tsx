import { useRef, useState } from 'preact/hooks';
import type { FoundModel, Snapshot } from '../../server/contract.ts';
import type { Applied } from '../change-settings.ts';
import { toFacts, toFitNumbers, toFitWarning, toServingWords } from '../model-words.ts';
import { useAttempt } from '../use-attempt.ts';
import { AskAgain } from './ask-again.tsx';
import { FitBadge } from './fit-badge.tsx';
import { ProblemLine } from './problem-line.tsx';

/** A model that can be served: pressed, it is; one without room only after a second thought. */
export function FoundModelRow({
  model,
  snapshot,
  onUse,
}: {
  model: FoundModel;
  snapshot: Snapshot;
  onUse: (path: string) => Promise<Applied>;
}) {
  const { path, name, fit } = model;
  const [asks, setAsks] = useState(false);
  const [isOpen, setOpen] = useState(false);
  const button = useRef<HTMLButtonElement>(null);
  const { problem, attempt } = useAttempt();
  const isChosen = path === snapshot.settings.modelPath;
  const use = () => attempt(() => onUse(path));
  const answer = () => {
    setAsks(false);
    button.current?.focus();
  };
  return (
    <li class="model-row">
      <button
        type="button"
        class="model-button"
        ref={button}
        aria-pressed={isChosen}
        title={path}
        onClick={() => {
          if (isChosen) return;
          if (fit?.verdict === 'too_large') setAsks(true);
          else use();
        }}
      >
        <span class="model-name">{name}</span>
        <span class="model-facts">
          {isChosen && <b class="chosen">✓ {toServingWords(snapshot)}</b>}
          {isChosen && ' · '}
          {toFacts(model)}
        </span>
      </button>
      {fit !== undefined && (
        <FitBadge fit={fit} of={name} isOpen={isOpen} onToggle={() => setOpen(!isOpen)} />
      )}
      {fit !== undefined && isOpen && <p class="model-more">{toFitNumbers(fit)}</p>}
      {fit !== undefined && asks && (
        <AskAgain
          question={toFitWarning(fit)}
          yes="Use It Anyway"
          no="Leave It"
          onYes={() => {
            answer();
            use();
          }}
          onNo={answer}
        />
      )}
      <ProblemLine text={problem} />
    </li>
  );
}
