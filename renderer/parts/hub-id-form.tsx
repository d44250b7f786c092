import { useState } from 'preact/hooks';
import { useAttempt } from '../use-attempt.ts';
import { ProblemLine } from './problem-line.tsx';

/** Downloads any model of the Hugging Face Hub, by its id. */
export function HubIdForm({ onDownload }: { onDownload: (id: string) => Promise<unknown> }) {
  const [id, setId] = useState('');
  const [said, setSaid] = useState('');
  const { problem, attempt } = useAttempt();
  const wanted = id.trim();
  const download = async () => {
    setSaid('');
    await onDownload(wanted);
    setId('');
    setSaid(`${wanted} is on its way: see Downloads above.`);
  };
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        if (wanted !== '') attempt(download);
      }}
    >
      <div class="row hub-id">
        <label class="grow">
          <span>or a Hugging Face id</span>
          <input
            value={id}
            placeholder="mlx-community/Qwen3-VL-4B-Instruct-4bit"
            onInput={(event) => setId(event.currentTarget.value)}
            autocomplete="off"
            spellcheck={false}
          />
        </label>
        <button type="submit" aria-disabled={wanted === ''}>
          Download
        </button>
      </div>
      <p class="help" role="status">
        {said}
      </p>
      <ProblemLine text={problem} />
    </form>
  );
}
