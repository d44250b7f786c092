import { useEffect, useRef, useState } from 'preact/hooks';
import type { Snapshot } from '../../server/contract.ts';
import { call, on, run } from '../bridge.ts';
import { toDuration } from '../format.ts';
import { PictureWell } from '../parts/picture-well.tsx';

interface Answer {
  id: string | undefined;
  text: string;
  note: string;
  hasFailed: boolean;
  isRunning: boolean;
}

const NO_ANSWER: Answer = { id: undefined, text: '', note: '', hasFailed: false, isRunning: false };

/** Asks the model about a picture, and streams its answer. */
export function TryIt({ snapshot }: { snapshot: Snapshot }) {
  const [image, setImage] = useState('');
  const [question, setQuestion] = useState('What is in this image?');
  const { answer, ask, stop } = useAnswer();
  const isOn = snapshot.server.phase === 'on';
  const why = !isOn
    ? 'Start the server to ask.'
    : image === '' && !snapshot.settings.allowTextOnly
      ? 'Add a picture to ask about.'
      : '';
  const isDisabled = !answer.isRunning && (why !== '' || question.trim() === '');
  return (
    <form
      class="try"
      onSubmit={(event) => {
        event.preventDefault();
        if (answer.isRunning) stop();
        else if (!isDisabled) run(ask({ question, image }));
      }}
    >
      <PictureWell image={image} onChange={setImage} />
      <KeepOpen />
      <label>
        <span>Question</span>
        <textarea
          rows={2}
          value={question}
          onInput={(event) => setQuestion(event.currentTarget.value)}
          onKeyDown={(event) => {
            if (event.key !== 'Enter' || !(event.metaKey || event.ctrlKey)) return;
            event.preventDefault();
            event.currentTarget.form?.requestSubmit();
          }}
        />
      </label>
      <div class="row">
        <button type="submit" class="primary" aria-disabled={isDisabled}>
          {answer.isRunning ? 'Stop' : 'Ask'}
        </button>
        <p class={`grow ${why === '' && answer.hasFailed ? 'problem' : 'help'}`} role="status">
          {answer.isRunning ? 'Answering…' : why || answer.note}
        </p>
      </div>
      <section class="answer" aria-label="Answer" aria-live="polite" aria-busy={answer.isRunning}>
        {answer.text}
      </section>
    </form>
  );
}

/** Keeps the panel open when Finder gets focus, so that a picture can be dragged from it. */
function KeepOpen() {
  const [keep, setKeep] = useState(false);
  return (
    <label class="row keep-open">
      <input
        type="checkbox"
        checked={keep}
        onChange={(event) => {
          setKeep(event.currentTarget.checked);
          run(call('keepOpen', { keep: event.currentTarget.checked }));
        }}
      />
      Keep this panel open while I drag a picture from Finder
    </label>
  );
}

function useAnswer() {
  const [answer, setAnswer] = useState(NO_ANSWER);
  const running = useRef<string>(undefined);
  const hasStopped = useRef(false);
  useEffect(() => {
    const off = on('answer', (event) => {
      if (event.id !== running.current) return;
      if (event.kind === 'text') {
        setAnswer((before) => ({ ...before, text: before.text + event.text }));
        return;
      }
      running.current = undefined;
      const note =
        event.kind === 'error'
          ? event.message
          : `${event.tokens} tokens in ${toDuration(event.seconds * 1000)}`;
      const hasFailed = event.kind === 'error' && !hasStopped.current;
      setAnswer((before) => ({ ...before, isRunning: false, note, hasFailed }));
    });
    return () => {
      off();
      if (running.current !== undefined) run(call('stopAsking', { id: running.current }));
    };
  }, []);
  const ask = async (asked: { question: string; image: string }) => {
    hasStopped.current = false;
    setAnswer({ ...NO_ANSWER, isRunning: true });
    try {
      running.current = await call('ask', asked);
    } catch (error) {
      setAnswer({ ...NO_ANSWER, note: (error as Error).message, hasFailed: true });
    }
  };
  const stop = () => {
    if (running.current === undefined) return;
    hasStopped.current = true;
    run(call('stopAsking', { id: running.current }));
  };
  return { answer, ask, stop };
}
