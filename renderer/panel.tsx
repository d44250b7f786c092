import { render } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import type { View } from '../server/contract.ts';
import { on } from './bridge.ts';
import { Header } from './parts/header.tsx';
import { Tabs } from './parts/tabs.tsx';
import { TroubleBanner } from './parts/trouble-banner.tsx';
import { type Shown, useSnapshot } from './use-snapshot.ts';
import { Connect } from './views/connect.tsx';
import { Logs } from './views/logs.tsx';
import { Overview } from './views/overview.tsx';
import { SettingsView } from './views/settings.tsx';
import { TryIt } from './views/try-it.tsx';

function Panel() {
  const shown = useSnapshot();
  const [view, setView] = useState<View>('overview');
  useEffect(() => on('open', setView), []);
  if (shown === undefined) return <main aria-busy="true" />;
  return (
    <>
      <Header snapshot={shown.snapshot} />
      <Tabs view={view} onChange={setView} />
      <main>
        <TroubleBanner snapshot={shown.snapshot} />
        <div id="view" class={`view view-${view}`} role="tabpanel" aria-labelledby={`tab-${view}`}>
          <ViewOf view={view} shown={shown} />
        </div>
      </main>
    </>
  );
}

function ViewOf({ view, shown }: { view: View; shown: Shown }) {
  const { snapshot } = shown;
  switch (view) {
    case 'overview':
      return <Overview {...shown} />;
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
