import type { CheckResult } from '../../server/contract.ts';
import { changeSettings, useAttempt } from '../bridge.ts';
import { toSize } from '../format.ts';
import { InlineError } from './controls.tsx';

/** The details of a check, and the concurrency it recommends. */
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
      <p class="help">Peak memory use: {toSize(memoryBytes)}</p>
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
      <InlineError text={problem} />
      <p class="help">
        This is “Requests at once” in Settings{isSet ? '' : `, now ${maxConcurrency}`}. On Apple
        GPUs concurrent generation has corrupted answers{' '}
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
            <dt>With {streams} concurrent requests</dt>
            <dd>{together}</dd>
          </div>
        </dl>
      ))}
    </details>
  );
}

/** The total speed at each concurrency. */
function SpeedTable({ speeds }: Pick<CheckResult, 'speeds'>) {
  if (speeds.length === 0) return null;
  const alone = speeds[0]?.tokensPerSecond ?? 0;
  const most = Math.max(...speeds.map(({ tokensPerSecond }) => tokensPerSecond));
  return (
    <table class="speeds">
      <thead>
        <tr>
          <th scope="col">At once</th>
          <th scope="col" class="end">
            Tokens/s
          </th>
          <td />
          <th scope="col" class="end">
            Speed-up
          </th>
        </tr>
      </thead>
      <tbody>
        {speeds.map(({ streams, tokensPerSecond }) => (
          <tr key={streams}>
            <th scope="row">{streams}</th>
            <td class="end">{Math.round(tokensPerSecond)}</td>
            <td>
              <span class="speed" style={{ width: `${(100 * tokensPerSecond) / (most || 1)}%` }} />
            </td>
            <td class="end">{alone === 0 ? '' : `${(tokensPerSecond / alone).toFixed(1)}×`}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}
