import { existsSync } from 'node:fs';

/** An id of a model on the Hugging Face Hub, `owner/name`. The launcher has the same rule. */
export const HUB_NAME = /^[\w-][\w.-]*\/[\w-][\w.-]*$/;

/** Whether it is such an id, and no folder here. */
export function isHubName(model: string): boolean {
  return HUB_NAME.test(model) && !existsSync(model);
}
