import { useRef, useState } from 'preact/hooks';

/**
 * What a person started in one place: what it failed with is to be told there. While it runs,
 * another press does nothing.
 */
export function useAttempt() {
  const [problem, setProblem] = useState('');
  const isRunning = useRef(false);
  const attempt = (work: () => Promise<unknown>): void => {
    if (isRunning.current) return;
    isRunning.current = true;
    setProblem('');
    work()
      .catch((error: Error) => setProblem(error.message))
      .finally(() => {
        isRunning.current = false;
      });
  };
  return { problem, attempt };
}
