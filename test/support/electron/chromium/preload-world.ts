import { record } from '../record.ts';
import type { Session } from './connection.ts';

export const PRELOAD_WORLD = 'preload';

/** The world of a window's preload, as long as there is a document. */
export class PreloadWorld {
  readonly #session: Session;
  #context: number | undefined;

  constructor(session: Session, frameId: string, onCreated: () => void) {
    this.#session = session;
    session.on('Runtime.executionContextCreated', ({ context }) => {
      if (context.name !== PRELOAD_WORLD || context.auxData.frameId !== frameId) return;
      this.#context = context.id;
      onCreated();
    });
    session.on('Runtime.executionContextsCleared', () => {
      this.#context = undefined;
    });
  }

  /** Calls a function, given as its text, in it. Nobody hears it while there is no document. */
  async call(functionDeclaration: string, ...values: unknown[]): Promise<void> {
    if (this.#context === undefined) return;
    const answer = await this.#session
      .send('Runtime.callFunctionOn', {
        functionDeclaration,
        executionContextId: this.#context,
        arguments: values.map((value) => ({ value })),
      })
      // The document was replaced or closed meanwhile, and with it the world.
      .catch(() => undefined);
    const exception = answer?.exceptionDetails?.exception;
    if (exception !== undefined) record('page error', exception.description);
  }
}
