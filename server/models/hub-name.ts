import { existsSync } from 'node:fs';

/** Whether it is `owner/name` on the Hugging Face Hub, and no folder here. The launcher has the same rule. */
export function isHubName(model: string): boolean {
  return /^[\w-][\w.-]*\/[\w-][\w.-]*$/.test(model) && !existsSync(model);
}
