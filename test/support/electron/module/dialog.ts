import { readiness } from '../readiness.ts';
import { announce, record, toPlain } from '../record.ts';
import { refuseUnknown } from '../strict.ts';

type Kind = 'open' | 'save' | 'message';
type Options = Record<string, unknown> & { buttons?: string[] };
/** What the person does with a dialog. */
export type DialogAnswer =
  | { paths: string[] }
  | { button: string; isChecked?: boolean }
  | { isCanceled: true };

export interface OpenDialog {
  kind: Kind;
  options: Options;
  answer: (answer: DialogAnswer) => void;
}

const open: OpenDialog[] = [];
const answers: DialogAnswer[] = [];

export const dialog = refuseUnknown('dialog', {
  showOpenDialog: async (...given: unknown[]) => {
    const { options, answer } = await ask('open', given);
    void options;
    return { canceled: !('paths' in answer), filePaths: 'paths' in answer ? answer.paths : [] };
  },
  showSaveDialog: async (...given: unknown[]) => {
    const { answer } = await ask('save', given);
    const [filePath = ''] = 'paths' in answer ? answer.paths : [];
    return { canceled: filePath === '', filePath };
  },
  showMessageBox: async (...given: unknown[]) => {
    const { options, answer } = await ask('message', given);
    const isChecked = 'isChecked' in answer && answer.isChecked === true;
    return { response: toResponse(options, answer), checkboxChecked: isChecked };
  },
  showErrorBox: (title: string, content: string) => record('dialog.showErrorBox', title, content),
});

/** Those on the screen, that nobody has answered. */
export function openDialogs(): readonly OpenDialog[] {
  return open;
}

/** Answers the first dialog on the screen, or the next that will be shown. */
export function answerDialog(answer: DialogAnswer): void {
  const [first] = open;
  if (first === undefined) answers.push(answer);
  else first.answer(answer);
}

async function ask(kind: Kind, given: unknown[]) {
  readiness.require('dialog');
  const options = toPlain(given.at(-1)) as Options;
  record(`dialog ${kind}`, options);
  const given_ = answers.shift();
  if (given_ !== undefined) return { options, answer: check(kind, options, given_) };
  const { promise, resolve } = Promise.withResolvers<DialogAnswer>();
  const shown: OpenDialog = {
    kind,
    options,
    answer: (answer) => {
      resolve(check(kind, options, answer));
      open.splice(open.indexOf(shown), 1);
      announce();
    },
  };
  open.push(shown);
  announce();
  return { options, answer: await promise };
}

/** Throws when such a dialog cannot be answered so. */
function check(kind: Kind, options: Options, answer: DialogAnswer): DialogAnswer {
  if ('isCanceled' in answer) return answer;
  if ('paths' in answer && kind !== 'message') return answer;
  if ('button' in answer && options.buttons?.includes(answer.button)) return answer;
  const shown = JSON.stringify(options);
  throw new Error(`A ${kind} dialog cannot be answered ${JSON.stringify(answer)}: ${shown}`);
}

function toResponse(options: Options, answer: DialogAnswer): number {
  const { buttons = [], cancelId = 0 } = options;
  return 'button' in answer ? buttons.indexOf(answer.button) : Number(cancelId);
}
