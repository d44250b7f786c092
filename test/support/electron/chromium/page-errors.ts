import { record } from '../record.ts';
import { isLoopback } from './address.ts';
import type { Answer, Session } from './connection.ts';

/** Records what goes wrong in a page: what is thrown, logged as an error, or refused by Chromium. */
export function recordErrors(session: Session): void {
  const tell = (text: string) => record('page error', text);
  session.on('Runtime.exceptionThrown', ({ exceptionDetails }) =>
    tell(exceptionDetails.exception?.description ?? exceptionDetails.text),
  );
  session.on('Runtime.consoleAPICalled', ({ type, args }) => {
    if (type !== 'error') return;
    tell(args.map((arg: Answer) => String(arg.value ?? arg.description)).join(' '));
  });
  session.on('Log.entryAdded', ({ entry }) => {
    if (entry.level === 'error') tell(`${entry.text} ${isLoopback(entry.url) ? '' : entry.url}`);
  });
}
