import { useEffect, useState } from 'preact/hooks';
import { call, run } from '../bridge.ts';

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
