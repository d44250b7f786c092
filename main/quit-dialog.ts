export type QuitChoice = 'finish' | 'now' | 'stay';

/** In the order of the dialog's buttons. */
const CHOICES: readonly QuitChoice[] = ['finish', 'now', 'stay'];

/** The dialog shown when the user quits while requests are in flight. */
export function toQuitDialog(running: number) {
  const are = running === 1 ? '1 request is' : `${running} requests are`;
  return {
    type: 'warning' as const,
    message: `${are} still being answered.`,
    detail: 'Sightglass can let them finish first, or cancel them and quit now.',
    buttons: ['Let Them Finish', 'Quit Now', 'Cancel'],
    defaultId: 0,
    cancelId: 2,
  };
}

/** Converts the index of the clicked button. */
export function toQuitChoice(buttonIndex: number): QuitChoice {
  return CHOICES[buttonIndex] ?? 'stay';
}
