import type { ServerResponse } from 'node:http';

/** Why a request ends whose client has closed its connection. A dead client is not an error. */
export class ClientGoneError extends Error {
  override name = 'ClientGoneError';

  constructor() {
    super('The client closed the connection.');
  }
}

/** Aborts `controller` when the client goes away before it has been answered. */
export function abortWhenGone(response: ServerResponse, controller: AbortController): void {
  const check = () => {
    if (!response.writableFinished) controller.abort(new ClientGoneError());
  };
  if (response.closed) check();
  else response.once('close', check);
}
