/** What the Hub does not do, told as it tells it: in headers, since a HEAD has no body. */
export class Refusal extends Error {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;

  constructor(status: number, code: string | undefined, message: string, headers = {}) {
    super(message);
    this.status = status;
    this.headers = {
      ...(code === undefined ? {} : { 'x-error-code': code }),
      'x-error-message': message,
      ...headers,
    };
  }
}

export function badToken(): Refusal {
  return new Refusal(401, undefined, 'Invalid credentials in Authorization header');
}

/** Who has no token is not told whether a model is private or not there. */
export function noRepository(hasToken: boolean): Refusal {
  return hasToken
    ? new Refusal(404, 'RepoNotFound', 'Repository not found')
    : new Refusal(401, 'RepoNotFound', 'Invalid username or password.');
}

export function noRevision(revision: string): Refusal {
  return new Refusal(404, 'RevisionNotFound', `Invalid rev id: ${revision}`);
}

/** With the commit, so that the client can remember that the file is not there. */
export function noEntry(sha: string): Refusal {
  return new Refusal(404, 'EntryNotFound', 'Entry not found', { 'x-repo-commit': sha });
}

export function gated(id: string, hubUrl: string, hasToken: boolean): Refusal {
  const restricted = `Access to model ${id} is restricted`;
  const message = hasToken
    ? `${restricted} and you are not in the authorized list. Visit ${hubUrl}/${id} to ask for access.`
    : `${restricted}. You must have access to it and be authenticated to access it. Please log in.`;
  return new Refusal(hasToken ? 403 : 401, 'GatedRepo', message);
}

export function noSuchRange(size: number): Refusal {
  const headers = { 'content-range': `bytes */${size}` };
  return new Refusal(416, undefined, 'Range Not Satisfiable', headers);
}
