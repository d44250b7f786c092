/** What could not be done, where it was asked for. */
export function ProblemLine({ text }: { text: string }) {
  if (text === '') return null;
  return (
    <p class="problem" role="alert">
      {text}
    </p>
  );
}
