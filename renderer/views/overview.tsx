import { movesUntil } from '../format.ts';
import { type Shown, useClock } from '../hooks.ts';
import { LoadChart, LoadNumbers } from '../parts/load.tsx';
import { ActiveRequests, RecentRequests } from '../parts/requests.tsx';

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
