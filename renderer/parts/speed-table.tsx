import type { CheckResult } from '../../server/contract.ts';

/** How fast all answers together came, by how many were asked for at once. */
export function SpeedTable({ speeds }: Pick<CheckResult, 'speeds'>) {
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
