import { render } from 'preact';
import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks';
import type { View } from '../server/contract.ts';
import { call, on, run } from './bridge.ts';
import { Header } from './parts/header.tsx';
import { FailureNotice, TroubleBanner, UpdateNotice } from './parts/notices.tsx';
import { Tabs } from './parts/tabs.tsx';
import { type Shown, useSnapshot } from './snapshot.ts';

import { Connect } from './views/connect.tsx';
import { Logs } from './views/logs.tsx';
import { Models } from './views/models.tsx';
import { Overview } from './views/overview.tsx';
import { SettingsView } from './views/settings.tsx';
import { TryIt } from './views/try-it.tsx';

const VIEWS: readonly View[] = ['overview', 'models', 'try', 'connect', 'logs', 'settings'];
/** Views with unsaved input or running work: they stay mounted while another view is shown. */
const KEPT: ReadonlySet<View> = new Set(['models', 'try', 'settings']);

function Panel() {
  const shown = useSnapshot();
  const [view, setView] = useState<View>('overview');
  const main = useRef<HTMLElement>(null);
  const visited = useRef(new Set<View>());
  visited.current.add(view);
  useEffect(() => on('open', setView), []);
  useEffect(() => hideOnEscape(), []);
  useLayoutEffect(() => main.current?.scrollTo(0, 0), [view]);
  if (shown === undefined) {
    return (
      <main aria-busy="true">
        <FailureNotice />
      </main>
    );
  }
  return (
    <>
      <Header snapshot={shown.snapshot} />
      <Tabs view={view} onChange={setView} />
      <main ref={main} class={`main-${view}`}>
        <FailureNotice />
        <TroubleBanner snapshot={shown.snapshot} />
        <UpdateNotice update={shown.snapshot.update} />
        {VIEWS.map(
          (each) =>
            (each === view || (KEPT.has(each) && visited.current.has(each))) && (
              <div
                key={each}
                id={`view-${each}`}
                class={`view view-${each}`}
                role="tabpanel"
                aria-labelledby={`tab-${each}`}
                hidden={each !== view}
              >
                <ViewOf view={each} shown={shown} />
              </div>
            ),
        )}
      </main>
    </>
  );
}

/** Hides the panel on Escape, as for a menu, except in a text field. */
function hideOnEscape(): () => void {
  const hide = (event: KeyboardEvent) => {
    const isInField =
      event.target instanceof Element && event.target.matches('input, textarea, select');
    if (event.key === 'Escape' && !event.defaultPrevented && !isInField) run(call('hide'));
  };
  document.addEventListener('keydown', hide);
  return () => document.removeEventListener('keydown', hide);
}

function ViewOf({ view, shown }: { view: View; shown: Shown }) {
  const { snapshot } = shown;
  switch (view) {
    case 'overview':
      return <Overview {...shown} />;
    case 'models':
      return <Models snapshot={snapshot} />;
    case 'try':
      return <TryIt snapshot={snapshot} />;
    case 'connect':
      return <Connect snapshot={snapshot} />;
    case 'logs':
      return <Logs />;
    case 'settings':
      return <SettingsView snapshot={snapshot} />;
    default:
      return view satisfies never;
  }
}

const place = document.getElementById('panel');
if (place !== null) render(<Panel />, place);
