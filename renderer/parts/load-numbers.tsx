import type { Snapshot } from '../../server/contract.ts';

/** The queue in four numbers. */
export function LoadNumbers({ load }: Pick<Snapshot, 'load'>) {
  const numbers: [label: string, value: string, of: string][] = [
    ['Running', String(load.running), `at once ${load.maxConcurrency}`],
    ['Waiting', String(load.waiting), `room for ${load.queueSize}`],
    ['Streams', String(load.streams), 'do not queue'],
    ['Tokens/s', String(Math.round(load.tokensPerSecond)), 'last second'],
  ];
  return (
    <dl class="numbers">
      {numbers.map(([label, value, of]) => (
        <div key={label}>
          <dt>{label}</dt>
          <dd class="number">{value}</dd>
          <dd class="of">{of}</dd>
        </div>
      ))}
    </dl>
  );
}
