import { useEffect, useId, useLayoutEffect, useRef, useState } from 'preact/hooks';
import type { Fit } from '../../server/contract.ts';
import { call, run } from '../bridge.ts';
import { FIT_LABELS } from '../labels.ts';

/** An inline error message, shown where the action was requested. */
export function InlineError({ text }: { text: string }) {
  if (text === '') return null;
  return (
    <p class="problem" role="alert">
      {text}
    </p>
  );
}

/** A progress bar; indeterminate without `of`. */
export function ProgressBar({
  label,
  done,
  of,
}: {
  label: string;
  done: number;
  of: number | undefined;
}) {
  // A progress element that has had a value cannot become indeterminate again, so there are two.
  if (!of) return <progress key="unknown" class="progress" aria-label={label} />;
  return <progress key="known" class="progress" aria-label={label} value={done} max={of} />;
}

/** Copies a text, and confirms it briefly. `what` completes “Copy …” for screen readers. */
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

/** An inline confirmation. The button that changes nothing has focus; Escape has the same effect. */
export function Confirmation({
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

/** Shows whether a model fits in memory. Clicking it shows the numbers. */
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
      aria-label={`${FIT_LABELS[fit.verdict]}: ${of} in numbers`}
      title="Show the numbers"
      onClick={onToggle}
    >
      {FIT_LABELS[fit.verdict]}
    </button>
  );
}
