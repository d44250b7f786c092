import { useEffect, useRef, useState } from 'preact/hooks';
import { InlineError } from './controls.tsx';

/** Accepts a picture that is dropped, pasted or chosen, and returns it as a data URL. */
export function PictureWell({
  image,
  onChange,
}: {
  image: string;
  onChange: (dataUrl: string) => void;
}) {
  const input = useRef<HTMLInputElement>(null);
  const place = useRef<HTMLDivElement>(null);
  const [isOver, setOver] = useState(false);
  const { problem, setProblem, read } = useImageReader(onChange);
  usePaste((file) => place.current?.checkVisibility() && read(file));
  return (
    <div class="well-place" ref={place}>
      <button
        type="button"
        class={`well ${isOver ? 'over' : ''}`}
        onClick={() => input.current?.click()}
        onDragOver={(event) => {
          event.preventDefault();
          setOver(true);
        }}
        onDragLeave={() => setOver(false)}
        onDrop={(event) => {
          event.preventDefault();
          setOver(false);
          read(event.dataTransfer?.files[0]);
        }}
      >
        {image === '' ? (
          <span>Drop, paste or choose a picture</span>
        ) : (
          <img
            src={image}
            alt="Attached to the question"
            onError={() => {
              onChange('');
              setProblem('This picture cannot be displayed. Use PNG, JPEG, WebP, GIF or AVIF.');
            }}
          />
        )}
      </button>
      <input
        ref={input}
        type="file"
        accept="image/*"
        class="unseen"
        tabIndex={-1}
        aria-label="Picture"
        onChange={(event) => read(event.currentTarget.files?.[0])}
      />
      {image !== '' && (
        <button type="button" class="small" onClick={() => onChange('')}>
          Remove Picture
        </button>
      )}
      <InlineError text={problem} />
    </div>
  );
}

function usePaste(onFile: (file: File | undefined) => void): void {
  useEffect(() => {
    const paste = ({ clipboardData }: ClipboardEvent) => onFile(clipboardData?.files[0]);
    document.addEventListener('paste', paste);
    return () => document.removeEventListener('paste', paste);
  });
}

/** Reads image files as data URLs. `problem` is the error of the last one, or an empty string. */
function useImageReader(onChange: (dataUrl: string) => void) {
  const [problem, setProblem] = useState('');
  const read = (file: File | null | undefined) => {
    if (file == null) return;
    if (!file.type.startsWith('image/')) {
      setProblem(`${file.name} is not an image.`);
      return;
    }
    const reader = new FileReader();
    reader.onload = () => {
      setProblem('');
      onChange(String(reader.result));
    };
    reader.onerror = () => setProblem(`${file.name} cannot be read.`);
    reader.readAsDataURL(file);
  };
  return { problem, setProblem, read };
}
