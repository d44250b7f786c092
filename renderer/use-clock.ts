import { useEffect, useState } from 'preact/hooks';

function useVisible(): boolean {
  const [isVisible, setVisible] = useState(document.visibilityState === 'visible');
  useEffect(() => {
    const read = () => setVisible(document.visibilityState === 'visible');
    document.addEventListener('visibilitychange', read);
    return () => document.removeEventListener('visibilitychange', read);
  }, []);
  return isVisible;
}

/** The time, told anew each second while `runs` and the panel is to be seen; else there is no timer. */
export function useClock(runs: boolean): number {
  const [now, setNow] = useState(Date.now());
  const isTicking = useVisible() && runs;
  useEffect(() => {
    if (!isTicking) return;
    setNow(Date.now());
    const timer = setInterval(() => setNow(Date.now()), 1000);
    return () => clearInterval(timer);
  }, [isTicking]);
  return now;
}
