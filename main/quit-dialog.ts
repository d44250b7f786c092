export type QuitChoice = 'finish' | 'now' | 'stay';

const CHOICES: readonly QuitChoice[] = ['finish', 'now', 'stay'];

/** What is asked when the app is to quit while requests run. */
export function toQuitQuestion(running: number) {
  const are = running === 1 ? 'A request is' : `${running} requests are`;
  return {
    type: 'warning' as const,
    message: `${are} still being answered.`,
    detail: 'Sightglass can let them come to their end first, or cancel them and quit at once.',
    buttons: ['Let Them Finish', 'Quit Now', 'Cancel'],
    defaultId: 0,
    cancelId: 2,
  };
}

export function toQuitChoice(response: number): QuitChoice {
  return CHOICES[response] ?? 'stay';
}
