import { type Answer, fromCdn, modelInfo, resolved, tree } from './answers.ts';
import { badToken, gated, noEntry, noRepository, noRevision, Refusal } from './refusal.ts';
import type { Repository, RepositoryFile } from './repository.ts';
import type { Target } from './target.ts';

export interface Asked {
  target: Target | undefined;
  query: URLSearchParams;
  authorization: string | undefined;
}

export interface CatalogueOptions {
  /** Of an account that was let into the gated models. */
  token: string;
  /** Of an account that was not. */
  outsidersToken: string;
  /** The origins, read when something is answered. */
  hubUrl: () => string;
  cdnUrl: () => string;
}

/** The models on the Hub: who may have what of them, and what is answered. */
export class Catalogue {
  readonly #options: CatalogueOptions;
  readonly #revisions = new Map<string, Repository[]>();

  constructor(options: CatalogueOptions) {
    this.#options = options;
  }

  /** As the newest revision of its id. */
  add(repository: Repository): void {
    const { id } = repository;
    this.#revisions.set(id, [...(this.#revisions.get(id) ?? []), repository]);
  }

  /** @throws Refusal */
  answer({ target, query, authorization }: Asked): Answer {
    if (target === undefined) throw new Refusal(404, undefined, 'Not Found');
    const token = this.#tokenOf(authorization);
    const repository = this.#find(target, token);
    switch (target.kind) {
      case 'info':
        return modelInfo(repository, query.has('blobs'));
      case 'tree':
        return tree(repository);
      case 'resolve':
        this.#checkAccess(repository, token);
        return resolved(repository, findFile(repository, target), this.#options.cdnUrl());
      case 'cdn':
        return fromCdn(findFile(repository, target)); // its address is what lets one in
      default:
        throw target.kind satisfies never;
    }
  }

  #tokenOf(authorization: string | undefined): string | undefined {
    const { token, outsidersToken } = this.#options;
    const given = authorization?.replace(/^Bearer /, '');
    if (given === undefined || given === token || given === outsidersToken) return given;
    throw badToken();
  }

  #find({ id, revision }: Target, token: string | undefined): Repository {
    const revisions = this.#revisions.get(id);
    if (revisions === undefined) throw noRepository(token !== undefined);
    const found = revisions.findLast(({ sha }) => revision === 'main' || revision === sha);
    if (found === undefined) throw noRevision(revision);
    return found;
  }

  /** What a gated model is may be read by all; what is in it may not. */
  #checkAccess(repository: Repository, token: string | undefined): void {
    if (!repository.gated || token === this.#options.token) return;
    throw gated(repository.id, this.#options.hubUrl(), token !== undefined);
  }
}

function findFile({ files, sha }: Repository, { file = '' }: Target): RepositoryFile {
  const found = files.get(file);
  if (found === undefined) throw noEntry(sha);
  return found;
}
