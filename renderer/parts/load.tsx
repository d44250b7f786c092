import 'uplot/dist/uPlot.min.css';
import { useEffect, useRef, useState } from 'preact/hooks';
import uPlot from 'uplot';
import type { LoadSample, Snapshot } from '../../server/contract.ts';
import { WINDOW_MS } from '../load-window.ts';

/** The queue's current numbers. */
export function LoadNumbers({ load }: Pick<Snapshot, 'load'>) {
  const numbers: [label: string, value: string, of: string][] = [
    ['Running', String(load.running), `of ${load.maxConcurrency}`],
    ['Waiting', String(load.waiting), `of ${load.queueSize}`],
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

const HEIGHT = 120;

/** The last few minutes: running and waiting requests as steps, tokens per second on a separate axis. */
export function LoadChart({ samples, now }: { samples: readonly LoadSample[]; now: number }) {
  const place = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot>(undefined);
  const [drawn, setDrawn] = useState(0);
  useEffect(() => {
    const { current } = place;
    if (current === null) return;
    const draw = () => {
      plot.current?.destroy();
      plot.current = new uPlot(toOptions(current), [[], [], [], []], current);
      setDrawn((count) => count + 1); // triggers the effect below, which sets the data
    };
    draw();
    const scheme = matchMedia('(prefers-color-scheme: dark)');
    scheme.addEventListener('change', draw);
    const resize = new ResizeObserver(() =>
      plot.current?.setSize({ width: current.clientWidth, height: HEIGHT }),
    );
    resize.observe(current);
    return () => {
      resize.disconnect();
      scheme.removeEventListener('change', draw);
      plot.current?.destroy();
    };
  }, []);
  useEffect(() => {
    const { current } = plot;
    if (current === undefined) return;
    current.setData(toData(samples, now), false);
    const end = now / 1000;
    current.setScale('x', { min: end - WINDOW_MS / 1000, max: end });
    const count = Math.max(4, ...samples.map(({ running, waiting }) => Math.max(running, waiting)));
    const tokens = Math.max(10, ...samples.map(({ tokensPerSecond }) => tokensPerSecond));
    current.setScale('y', { min: 0, max: count * 1.1 });
    current.setScale('tokens', { min: 0, max: tokens * 1.1 });
  }, [samples, now, drawn]);
  const last = samples.at(-1);
  const summary = `${last?.running ?? 0} running, ${last?.waiting ?? 0} waiting now`;
  return (
    <figure class="chart">
      <div
        ref={place}
        role="img"
        aria-label={`Load of the last ${WINDOW_MS / 60_000} minutes: ${summary}`}
      />
      <figcaption>
        <span class="key key-running">running</span>
        <span class="key key-waiting">waiting</span>
        <span class="key key-tokens">tokens/s (right)</span>
      </figcaption>
    </figure>
  );
}

/** A sample holds until the next one, and the last one until now. */
function toData(samples: readonly LoadSample[], now: number): uPlot.AlignedData {
  const last = samples.at(-1);
  const shown = last === undefined || now <= last.at ? samples : [...samples, { ...last, at: now }];
  return [
    shown.map(({ at }) => at / 1000),
    shown.map(({ tokensPerSecond }) => tokensPerSecond),
    shown.map(({ running }) => running),
    shown.map(({ waiting }) => waiting),
  ];
}

function toOptions(place: HTMLElement): uPlot.Options {
  const color = (name: string) => getComputedStyle(place).getPropertyValue(name).trim();
  const stepped = uPlot.paths.stepped?.({ align: 1 });
  const paths = stepped === undefined ? {} : { paths: stepped };
  const text = color('--text-2');
  const grid = { stroke: color('--line'), width: 1 };
  const axis = { stroke: text, grid, ticks: { show: false }, font: '11px system-ui', gap: 4 };
  const line = (stroke: string, width: number) => ({
    stroke,
    width,
    points: { show: false },
    fill: stroke.replace(/^rgb\((.*)\)$/, 'rgb($1 / 12%)').replaceAll(', ', ' '),
  });
  return {
    width: place.clientWidth,
    height: HEIGHT,
    padding: [8, 0, 0, 0],
    legend: { show: false },
    cursor: { show: false },
    scales: { x: { time: true }, y: { auto: false }, tokens: { auto: false } },
    axes: [
      { ...axis, size: 22, incrs: [60], values: (_plot, splits) => splits.map(toAgo(splits)) },
      { ...axis, size: 26, values: (_plot, splits) => splits.map((value) => whole(value)) },
      {
        ...axis,
        size: 36,
        scale: 'tokens',
        side: 1,
        grid: { show: false },
        values: (_plot, splits) => splits.map(toShort),
      },
    ],
    series: [
      {},
      { ...line(color('--tokens'), 1), scale: 'tokens' }, // behind the steps
      { ...line(color('--running'), 2), ...paths },
      { ...line(color('--waiting'), 2), ...paths },
    ],
  };
}

function toAgo(splits: readonly number[]): (at: number) => string {
  const last = splits.at(-1) ?? 0;
  return (at) => (at === last ? '' : new Date(at * 1000).toTimeString().slice(0, 5));
}

/** Formats an axis label in at most four characters: `800`, `12k`. */
function toShort(value: number): string {
  return value < 1000 ? String(value) : `${Number((value / 1000).toFixed(1))}k`;
}

function whole(value: number): string {
  return Number.isInteger(value) ? String(value) : '';
}
