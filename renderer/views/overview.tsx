import { movesUntil } from '../load-window.ts';
import { ActiveRequests } from '../parts/active-requests.tsx';
import { LoadChart } from '../parts/load-chart.tsx';
import { LoadNumbers } from '../parts/load-numbers.tsx';
import { RecentRequests } from '../parts/recent-requests.tsx';
import { useClock } from '../use-clock.ts';
import type { Shown } from '../use-snapshot.ts';
import { Welcome } from './welcome.tsx';

/** How loaded the server is, and with what. */
export function Overview({ snapshot, samples }: Shown) {
  const isMoving = Date.now() < movesUntil(samples); // asked anew with each tick
  const now = Math.max(useClock(isMoving), snapshot.at);
  if (snapshot.model === undefined) return <Welcome snapshot={snapshot} />;
  return (
    <>
      <LoadNumbers load={snapshot.load} />
      <LoadChart samples={samples} now={now} />
      <ActiveRequests snapshot={snapshot} now={now} />
      <RecentRequests recent={snapshot.recent} />
    </>
  );
}
