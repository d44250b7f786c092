import { existsSync } from 'node:fs';
import { homedir } from 'node:os';
import { fileURLToPath } from 'node:url';

const HUB_URL =
  /^(?:https?:\/\/)?(?:www\.)?(?:huggingface\.co|hf\.co)\/(?:models\/)?([\w-][\w.-]*\/[\w-][\w.-]*)(?:[/?#].*)?$/i;
const QUOTED = /^(["'`])(.*)\1$|^[“‘](.*)[”’]$/s;

/**
 * Normalizes a model folder or Hugging Face id as people paste it: in quotes, with a trailing slash, as
 * a `file:` or Hub URL, or with a leading `hf:` or `~`. Anything else is only trimmed.
 */
export function toModelName(pasted: string, home = homedir()): string {
  const trimmed = pasted.trim();
  const quoted = QUOTED.exec(trimmed);
  const text = (quoted?.[2] ?? quoted?.[3] ?? trimmed).trim();
  const id =
    HUB_URL.exec(text)?.[1] ?? /^hf:(?:\/\/)?([\w-][\w.-]*\/[\w-][\w.-]*)\/?$/i.exec(text)?.[1];
  if (id !== undefined) return id;
  if (/^file:/i.test(text)) {
    try {
      return withoutFinalSlash(fileURLToPath(text));
    } catch {
      return text; // on another machine
    }
  }
  return withoutFinalSlash(text.replace(/^~(?=\/|$)/, () => home));
}

function withoutFinalSlash(path: string): string {
  return path.replace(/(?<=[^/])\/+$/, '');
}

/** The id of a model on the Hugging Face Hub, `owner/name`. The launcher has the same rule. */
export const HUB_NAME = /^[\w-][\w.-]*\/[\w-][\w.-]*$/;

/** Whether it is such an id and not a folder on this machine. */
export function isHubName(model: string): boolean {
  return HUB_NAME.test(model) && !existsSync(model);
}
