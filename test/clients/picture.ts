import { drawShape, toDataUrl } from '../support/pictures.ts';

export const question = 'What is in this image?';
/** What the demo model answers to the question about the picture. */
export const answer = 'A green heart on a white background.';
export const png = await drawShape({ shape: 'heart', color: 'green' });
export const image = toDataUrl(png, 'image/png');
/** A refusal that every client's user must get to read. */
export const tooHot = '`temperature` must be at most 2 (got 3).';
