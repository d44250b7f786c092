import type { Rectangle } from 'electron';
import { launch } from './launch.ts';
import { changed, record, requireReady, StrictEmitter } from './shared.ts';

type DialogKind = 'open' | 'message';
type DialogOptions = Record<string, unknown> & { buttons?: string[] };
/** What the user does with a dialog. */
export type DialogAnswer = { paths: string[] } | { button: string } | { isCanceled: true };

/** What the user and the test see of the system. */
export const system = {
  clipboard: '',
  isKeychainOpen: launch.isKeychainOpen,
  /** The kinds of the power save blockers that are on, by id. */
  blockers: new Map<number, string>(),
  /** The open dialogs, oldest first. */
  dialogs: [] as { kind: DialogKind; options: DialogOptions; close: (a: DialogAnswer) => void }[],
  /** Answers for the dialogs to come. */
  answers: [] as DialogAnswer[],
};

export const clipboard = {
  writeText: (text: string) => {
    system.clipboard = text;
    changed();
  },
};

export const shell = {
  /** Resolves with an error message, or an empty text. */
  openPath: async (path: string) => {
    record('shell.openPath', path);
    return '';
  },
};

export const powerMonitor = new StrictEmitter('powerMonitor', ['suspend', 'resume', 'shutdown']);

let lastBlocker = 0;
export const powerSaveBlocker = {
  start(kind: string): number {
    system.blockers.set(++lastBlocker, kind);
    changed();
    return lastBlocker;
  },
  stop(id: number): void {
    system.blockers.delete(id);
    changed();
  },
};

const workArea: Rectangle = { x: 0, y: 25, width: 1440, height: 805 };
/** A MacBook's own display. */
export const screen = { getDisplayNearestPoint: () => ({ workArea }) };

// No secret is protected here: the mark and the inverted bits only tell apart what has been encrypted
// from what has not.
const MARK = Buffer.from('stand-in:');
const invert = (bytes: Buffer) => Buffer.from(bytes.map((byte) => byte ^ 0xff));

/** Records each call, as any of them may make macOS ask the user. */
function useKeychain(call: string): void {
  requireReady('safeStorage');
  record(`safeStorage.${call}`);
  if (!system.isKeychainOpen) throw new Error('Encryption is not available');
}

export const safeStorage = {
  async encryptStringAsync(text: string): Promise<Buffer> {
    useKeychain('encryptStringAsync');
    return Buffer.concat([MARK, invert(Buffer.from(text))]);
  },
  async decryptStringAsync(secret: Buffer) {
    useKeychain('decryptStringAsync');
    if (!secret.subarray(0, MARK.length).equals(MARK)) {
      throw new Error('Error while decrypting the ciphertext provided to safeStorage');
    }
    return { shouldReEncrypt: false, result: invert(secret.subarray(MARK.length)).toString() };
  },
};

export const dialog = {
  async showOpenDialog(options: DialogOptions) {
    const answer = await show('open', options);
    return { filePaths: 'paths' in answer ? answer.paths : [] };
  },
  async showMessageBox(options: DialogOptions) {
    const answer = await show('message', options);
    const { buttons = [], cancelId = 0 } = options;
    return { response: 'button' in answer ? buttons.indexOf(answer.button) : Number(cancelId) };
  },
};

/** Answers the oldest open dialog, or else the next one. */
export function answerDialog(answer: DialogAnswer): void {
  const [oldest] = system.dialogs;
  if (oldest === undefined) system.answers.push(answer);
  else oldest.close(answer);
}

async function show(kind: DialogKind, options: DialogOptions): Promise<DialogAnswer> {
  requireReady('dialog');
  record(`dialog ${kind}`, options);
  const given = system.answers.shift();
  if (given !== undefined) return check(kind, options, given);
  const { promise, resolve } = Promise.withResolvers<DialogAnswer>();
  const dialog = {
    kind,
    options,
    close: (answer: DialogAnswer) => {
      resolve(check(kind, options, answer));
      system.dialogs.splice(system.dialogs.indexOf(dialog), 1);
      changed();
    },
  };
  system.dialogs.push(dialog);
  changed();
  return await promise;
}

/** Throws if the dialog has no such answer. */
function check(kind: DialogKind, options: DialogOptions, answer: DialogAnswer): DialogAnswer {
  if ('isCanceled' in answer || ('paths' in answer && kind === 'open')) return answer;
  if ('button' in answer && options.buttons?.includes(answer.button)) return answer;
  const shown = JSON.stringify(options);
  throw new Error(`The dialog ${shown} has no answer ${JSON.stringify(answer)}.`);
}
