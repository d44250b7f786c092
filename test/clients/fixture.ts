import { after, before } from 'node:test';
import { z } from 'zod';
import { drawShape, toDataUrl } from '../support/pictures.ts';
import { type RunningService, startService } from '../support/service.ts';

export const question = 'What is in this image?';
/** The demo model's answer to the question about the picture. */
export const answer = 'A green heart on a white background.';
export const png = await drawShape({ shape: 'heart', color: 'green' });
export const image = toDataUrl(png, 'image/png');
/** An error message that every client must show to its user. */
export const tooHot = '`temperature` must be at most 2 (got 3).';
/** A schema for structured output. */
export const Picture = z.object({ color: z.enum(['red', 'green', 'blue']) });

/**
 * Starts a service with the demo model before the tests of a file, and stops it after them. `onStart` runs
 * when the service is ready; a second `before` hook of the file would not wait for this one.
 */
export function useService(
  options: Parameters<typeof startService>[0] = {},
  onStart: (url: string) => void = () => {},
): { url: string } {
  const service = { url: '' };
  let running: RunningService | undefined;
  before(async () => {
    running = await startService(options);
    service.url = running.url;
    onStart(running.url);
  });
  after(() => running?.stop());
  return service;
}
