import { readiness } from '../readiness.ts';
import { record, recorder } from '../record.ts';
import { refuseUnknown, refuseUnknownKeys } from '../strict.ts';

type RequestHandler = (
  contents: unknown,
  permission: string,
  answer: (isGranted: boolean) => void,
  details: { requestingUrl: string; isMainFrame: boolean },
) => void;
type CheckHandler = (contents: unknown, permission: string, origin: string) => boolean;

let requestHandler: RequestHandler | null = null;
let checkHandler: CheckHandler | null = null;

export const defaultSession = refuseUnknown('session.defaultSession', {
  setPermissionRequestHandler(handler: RequestHandler | null): void {
    requestHandler = handler;
  },
  setPermissionCheckHandler(handler: CheckHandler | null): void {
    checkHandler = handler;
  },
  setDevicePermissionHandler: recorder('session.setDevicePermissionHandler'),
  setSpellCheckerEnabled: recorder('session.setSpellCheckerEnabled'),
});

export const session = refuseUnknown('session', {
  get defaultSession() {
    readiness.require('Session');
    return defaultSession;
  },
  /** For `net.request` only, which has no use for it here. */
  fromPartition(partition: string, options: { cache?: boolean } = {}): object {
    readiness.require('Session');
    refuseUnknownKeys('session.fromPartition', options, ['cache']);
    return refuseUnknown(`session ${partition}`, {});
  },
});

/**
 * Whether a page may; without a handler Electron says yes. `check <name>` is a page that only looks,
 * and then the person is not asked.
 */
export async function answerPermission(
  contents: unknown,
  asked: string,
  { url, origin }: { url: string; origin: string },
): Promise<boolean> {
  const [, check] = /^check (.*)/.exec(asked) ?? [];
  if (check !== undefined) {
    const isGranted = checkHandler?.(contents, check, origin) ?? true;
    record('permission check', check, isGranted);
    return isGranted;
  }
  const handler = requestHandler ?? ((_contents, _permission, answer) => answer(true));
  const details = { requestingUrl: url, isMainFrame: true };
  const isGranted = await new Promise<boolean>((resolve) => {
    handler(contents, asked, resolve, details);
  });
  record('permission request', asked, isGranted);
  return isGranted;
}
