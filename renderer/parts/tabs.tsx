import { useRef } from 'preact/hooks';
import type { View } from '../../server/contract.ts';

const TABS: readonly [View, string][] = [
  ['overview', 'Overview'],
  ['models', 'Models'],
  ['try', 'Try It'],
  ['connect', 'Connect'],
  ['logs', 'Logs'],
  ['settings', 'Settings'],
];

/** The tab bar. Arrow keys move between the tabs. */
export function Tabs({ view, onChange }: { view: View; onChange: (view: View) => void }) {
  const list = useRef<HTMLDivElement>(null);
  const move = ({ key }: KeyboardEvent) => {
    const at = TABS.findIndex(([each]) => each === view);
    const to = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: -1 }[key];
    const next = to === undefined ? undefined : TABS.at(to % TABS.length);
    if (next === undefined) return;
    onChange(next[0]);
    list.current?.querySelector<HTMLElement>(`#tab-${next[0]}`)?.focus();
  };
  return (
    <nav>
      <div class="tabs" role="tablist" aria-label="Views" ref={list} onKeyDown={move}>
        {TABS.map(([each, label]) => (
          <button
            type="button"
            key={each}
            id={`tab-${each}`}
            role="tab"
            aria-selected={each === view}
            {...(each === view ? { 'aria-controls': `view-${each}` } : {})}
            tabIndex={each === view ? 0 : -1}
            onClick={() => onChange(each)}
          >
            {label}
          </button>
        ))}
      </div>
    </nav>
  );
}
