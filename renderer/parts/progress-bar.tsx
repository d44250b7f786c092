/** How far something is; without `of`, only that it is on its way. */
export function ProgressBar({
  label,
  done,
  of,
}: {
  label: string;
  done: number;
  of: number | undefined;
}) {
  // A bar that has had a value cannot be without one again, so there are two.
  if (!of) return <progress key="unknown" class="progress" aria-label={label} />;
  return <progress key="known" class="progress" aria-label={label} value={done} max={of} />;
}
