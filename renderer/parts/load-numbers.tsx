import type { Snapshot } from '../../server/contract.ts';

/** The queue in four numbers. */
export function LoadNumbers({ load }: Pick<Snapshot, 'load'>) {
  const numbers: [label: string, value: string, of: string][] = [
    ['Running', String(load.running), `${load.maxConcurrency} at most`],
    ['Waiting', String(load.waiting), `${load.queueSize} at most`],
    ['Streams', String(load.streams), 'not queued'],
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
