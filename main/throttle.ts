/** Calls `act` when told to, the first time at once, then at most every so often. */
export function createThrottle(act: () => void, everyMs: number): () => void {
  let last = Number.NEGATIVE_INFINITY;
  let isDue = false;
  const run = () => {
    isDue = false;
    last = performance.now();
    act();
  };
  return () => {
    if (isDue) return;
    isDue = true;
    const waitMs = last + everyMs - performance.now();
    if (waitMs <= 0) run();
    else setTimeout(run, waitMs);
  };
}
