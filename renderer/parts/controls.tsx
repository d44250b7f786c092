import { useEffect, useId, useLayoutEffect, useRef, useState } from 'preact/hooks';
import type { Fit } from '../../server/contract.ts';
import { call, run } from '../bridge.ts';
import { FIT_WORDS } from '../words.ts';

/** What could not be done, where it was asked for. */
export function ProblemLine({ text }: { text: string }) {
  if (text === '') return null;
  return (
    <p class="problem" role="alert">
      {text}
    </p>
  );
}

/** How far something is; without `of`, only that it is on its way. */
export function ProgressBar({
  label,
  done,
  of,
}: {
  label: string;
  done: number;
  of: number | undefined;
}) {
  // A bar that has had a value cannot be without one again, so there are two.
  if (!of) return <progress key="unknown" class="progress" aria-label={label} />;
  return <progress key="known" class="progress" aria-label={label} value={done} max={of} />;
}

/** Copies a text and says so for a moment. `what` completes “Copy …” for a screen reader. */
export function CopyButton({ text, what }: { text: string; what: string }) {
  const [copied, setCopied] = useState(false);
  useEffect(() => {
    if (!copied) return;
    const timer = setTimeout(() => setCopied(false), 1500);
    return () => clearTimeout(timer);
  }, [copied]);
  return (
    <button
      type="button"
      class="small copy"
      aria-label={copied ? `Copied ${what}` : `Copy ${what}`}
      onClick={() => run(call('copy', { text }).then(() => setCopied(true)))}
    >
      {copied ? 'Copied' : 'Copy'}
    </button>
  );
}

/**
 * Asked in place before what costs something. The answer that changes nothing has the focus; Escape
 * gives it too.
 */
export function AskAgain({
  question,
  yes,
  no,
  onYes,
  onNo,
}: {
  question: string;
  yes: string;
  no: string;
  onYes: () => void;
  onNo: () => void;
}) {
  const id = useId();
  const safe = useRef<HTMLButtonElement>(null);
  useLayoutEffect(() => safe.current?.focus(), []);
  return (
    <div
      class="ask-again"
      role="alertdialog"
      aria-label="Are you sure?"
      aria-describedby={id}
      onKeyDown={(event) => {
        if (event.key !== 'Escape') return;
        event.preventDefault();
        onNo();
      }}
    >
      <p id={id}>{question}</p>
      <div class="buttons">
        <button type="button" onClick={onYes}>
          {yes}
        </button>
        <button type="button" ref={safe} onClick={onNo}>
          {no}
        </button>
      </div>
    </div>
  );
}

/** The panel goes when another app gets the focus, which a drag from Finder takes first. */
export function KeepOpen() {
  const [keep, setKeep] = useState(false);
  return (
    <label class="row keep-open">
      <input
        type="checkbox"
        checked={keep}
        onChange={(event) => {
          setKeep(event.currentTarget.checked);
          run(call('keepOpen', { keep: event.currentTarget.checked }));
        }}
      />
      Keep this panel open while I drag a picture from Finder
    </label>
  );
}

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
