import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks';
import type { LogLine } from '../../server/contract.ts';
import { call, on, run } from '../bridge.ts';
import { toTime } from '../format.ts';

const MAX_LINES = 1000;
type Level = LogLine['level'];
const LEVELS: readonly Level[] = ['trace', 'debug', 'info', 'warn', 'error', 'fatal'];

/** The live log, with a filter. It follows new lines until the user scrolls up. */
export function Logs() {
  const lines = useLogLines();
  const [text, setText] = useState('');
  const [level, setLevel] = useState<Level>('info');
  const list = useRef<HTMLOListElement>(null);
  const [isAtEnd, setAtEnd] = useState(true);
  const wanted = text.toLowerCase();
  const shown = lines.filter(
    (line) =>
      LEVELS.indexOf(line.level) >= LEVELS.indexOf(level) &&
      (wanted === '' || line.text.toLowerCase().includes(wanted)),
  );
  useLayoutEffect(() => {
    const { current } = list;
    if (current !== null && isAtEnd) current.scrollTop = current.scrollHeight;
  });
  return (
    <section class="logs" aria-label="Log">
      <LogFilter text={text} level={level} onText={setText} onLevel={setLevel} />
      <ol
        ref={list}
        class="lines"
        // biome-ignore lint/a11y/noNoninteractiveTabindex: it scrolls, so the keyboard must reach it
        tabIndex={0}
        aria-label="Log lines"
        onScroll={({ currentTarget: { scrollTop, scrollHeight, clientHeight } }) => {
          setAtEnd(scrollHeight - scrollTop - clientHeight < 20);
        }}
      >
        {shown.map(({ number, at, level: lineLevel, text: lineText }) => (
          <li key={number} class={`line line-${lineLevel}`}>
            <time>{toTime(at)}</time> <b>{lineLevel}</b> <span>{lineText}</span>
          </li>
        ))}
        {shown.length === 0 && (
          <li class="empty">
            {lines.length === 0 ? 'Nothing has been logged.' : 'Nothing matches.'}
          </li>
        )}
      </ol>
      <div class="row follow">
        <p class="help grow" role="status">
          {isAtEnd ? 'Following the log.' : 'Paused where you scrolled to.'}
        </p>
        <button type="button" class="small" aria-disabled={isAtEnd} onClick={() => setAtEnd(true)}>
          Go to the End
        </button>
      </div>
    </section>
  );
}

function LogFilter({
  text,
  level,
  onText,
  onLevel,
}: {
  text: string;
  level: Level;
  onText: (text: string) => void;
  onLevel: (level: Level) => void;
}) {
  return (
    <div class="row">
      <input
        class="grow"
        type="search"
        aria-label="Filter the log"
        placeholder="Filter"
        value={text}
        onInput={(event) => onText(event.currentTarget.value)}
      />
      <select
        aria-label="Minimum level"
        value={level}
        onChange={(event) => onLevel(event.currentTarget.value as Level)}
      >
        {LEVELS.slice(0, 5).map((each) => (
          <option key={each}>{each}</option>
        ))}
      </select>
      <button type="button" onClick={() => run(call('openLogs'))}>
        Open Folder
      </button>
    </div>
  );
}

function useLogLines(): readonly LogLine[] {
  const [lines, setLines] = useState<readonly LogLine[]>([]);
  useEffect(() => {
    const off = on('log', (more) => setLines((before) => [...before, ...more].slice(-MAX_LINES)));
    // Main stops sending lines when the panel is hidden.
    const watch = () => {
      if (document.visibilityState === 'visible') run(call('watchLog').then(setLines));
    };
    watch();
    document.addEventListener('visibilitychange', watch);
    return () => {
      off();
      document.removeEventListener('visibilitychange', watch);
      run(call('unwatchLog'));
    };
  }, []);
  return lines;
}
