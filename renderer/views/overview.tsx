import { movesUntil } from '../load-window.ts';
import { LoadChart, LoadNumbers } from '../parts/load.tsx';
import { ActiveRequests, RecentRequests } from '../parts/requests.tsx';
import { type Shown, useClock } from '../snapshot.ts';

import { Welcome } from './welcome.tsx';

/** The server's load and its requests. */
export function Overview({ snapshot, samples }: Shown) {
  const isMoving = Date.now() < movesUntil(samples); // evaluated again with each tick
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
