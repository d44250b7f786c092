import type { CheckResult } from '../../server/contract.ts';
import { changeSettings } from '../change-settings.ts';
import { toSize } from '../format.ts';
import { useAttempt } from '../use-attempt.ts';
import { ProblemLine } from './problem-line.tsx';
import { SpeedTable } from './speed-table.tsx';

/** What a check found beside its verdict, and how many requests at once it speaks for. */
export function CheckFindings({
  result,
  maxConcurrency,
}: {
  result: CheckResult;
  maxConcurrency: number;
}) {
  const { differing, speeds, memoryBytes, recommended } = result;
  const { problem, attempt } = useAttempt();
  const isSet = maxConcurrency === recommended;
  return (
    <div class="findings">
      {differing.length > 0 && <Differing answers={differing} />}
      <SpeedTable speeds={speeds} />
      <p class="help">Memory in use at most: {toSize(memoryBytes)}</p>
      <div class="recommended">
        <p class="grow">
          Recommended max concurrency: <strong>{recommended}</strong>
        </p>
        {isSet ? (
          <span class="agreed">In Use</span>
        ) : (
          <button
            type="button"
            class="primary"
            onClick={() => attempt(() => changeSettings({ maxConcurrency: recommended }))}
          >
            Use {recommended}
          </button>
        )}
      </div>
      <ProblemLine text={problem} />
      <p class="help">
        It is “Requests at once” in Settings{isSet ? '' : `, now ${maxConcurrency}`}. On Apple GPUs
        concurrent generation has corrupted answers{' '}
        <span class="whole">(Blaizzy/mlx-vlm#1668)</span>.
      </p>
    </div>
  );
}

function Differing({ answers }: { answers: CheckResult['differing'] }) {
  return (
    <details class="differing">
      <summary>Compare the Answers</summary>
      {answers.map(({ streams, alone, together }, index) => (
        <dl key={index}>
          <div>
            <dt>Alone</dt>
            <dd>{alone}</dd>
          </div>
          <div>
            <dt>With {streams} at once</dt>
            <dd>{together}</dd>
          </div>
        </dl>
      ))}
    </details>
  );
}
