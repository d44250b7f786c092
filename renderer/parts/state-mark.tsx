import type { Tone } from '../state-words.ts';

/** The state as a shape, so that colour is not all there is: a sight glass and its level. */
export function StateMark({ tone }: { tone: Tone }) {
  return (
    <svg class={`mark mark-${tone}`} viewBox="0 0 20 20" aria-hidden="true">
      <circle cx="10" cy="10" r="8" />
      {tone === 'off' && <path d="M5 15 15 5" />}
      {tone === 'working' && <path d="M6 10h.01M10 10h.01M14 10h.01" />}
      {tone === 'ready' && <path class="level" d="M2.6 12a8 8 0 0 0 14.8 0z" />}
      {tone === 'busy' && <path class="level" d="M3.1 6a8 8 0 1 0 13.8 0z" />}
      {tone === 'failed' && <path d="M10 5.5v5.5M10 14.2v.1" />}
    </svg>
  );
}
