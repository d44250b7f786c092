import { useId, useLayoutEffect, useRef } from 'preact/hooks';

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
