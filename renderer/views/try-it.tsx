import { useEffect, useRef, useState } from 'preact/hooks';
import type { Snapshot } from '../../server/contract.ts';
import { call, on } from '../bridge.ts';
import { toDuration } from '../format.ts';
import { PictureWell } from '../parts/picture-well.tsx';

interface Answer {
  id: string | undefined;
  text: string;
  note: string;
  isRunning: boolean;
}

const NO_ANSWER: Answer = { id: undefined, text: '', note: '', isRunning: false };

/** A picture, a question, and the answer as it comes. */
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
  return (
    <form
      class="try"
      onSubmit={(event) => {
        event.preventDefault();
        if (answer.isRunning) stop();
        else void ask({ question, image });
      }}
    >
      <PictureWell image={image} onChange={setImage} />
      <label>
        <span>Question</span>
        <textarea
          rows={2}
          value={question}
          onInput={(event) => setQuestion(event.currentTarget.value)}
        />
      </label>
      <div class="row">
        <button
          type="submit"
          class="primary"
          disabled={!answer.isRunning && (why !== '' || question.trim() === '')}
        >
          {answer.isRunning ? 'Stop' : 'Ask'}
        </button>
        <p class="help grow">{answer.isRunning ? 'Answering…' : why || answer.note}</p>
      </div>
      <section class="answer" aria-label="Answer" aria-live="polite" aria-busy={answer.isRunning}>
        {answer.text}
      </section>
    </form>
  );
}

function useAnswer() {
  const [answer, setAnswer] = useState(NO_ANSWER);
  const running = useRef<string>(undefined);
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
      setAnswer((before) => ({ ...before, isRunning: false, note }));
    });
    return () => {
      off();
      if (running.current !== undefined) void call('stopAsking', { id: running.current });
    };
  }, []);
  const ask = async (asked: { question: string; image: string }) => {
    setAnswer({ ...NO_ANSWER, isRunning: true });
    try {
      running.current = await call('ask', asked);
    } catch (error) {
      setAnswer({ ...NO_ANSWER, note: (error as Error).message });
    }
  };
  const stop = () => {
    if (running.current !== undefined) void call('stopAsking', { id: running.current });
  };
  return { answer, ask, stop };
}
