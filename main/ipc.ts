import { ipcMain, type WebContents, type WebFrameMain } from 'electron';
import { type EventName, type EventPayload, events } from '../server/contract.ts';
import { answerCommand, type CommandHandlers } from './commands.ts';
import { isPanelUrl } from './panel.ts';

/** Handles commands from the panel, and rejects those from any other frame. */
export function registerCommands(handlers: CommandHandlers): void {
  ipcMain.handle('command', ({ senderFrame }, name: unknown, input: unknown) => {
    if (!isPanel(senderFrame)) throw new Error('Only the panel may send commands.');
    return answerCommand(handlers, name, input);
  });
}

/** Sends an event to the panel, after validating it against the contract. */
export function sendEvent<Name extends EventName>(
  panel: WebContents | undefined,
  name: Name,
  payload: EventPayload<Name>,
): void {
  if (panel === undefined || panel.isDestroyed()) return;
  panel.send('event', name, events[name].parse(payload));
}

function isPanel(frame: WebFrameMain | null): boolean {
  return frame !== null && frame.parent == null && isPanelUrl(frame.url);
}
