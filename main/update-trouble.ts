import { execa } from 'execa';

/** A failed update: what happened, and what to do about it. */
export interface UpdateTrouble {
  message: string;
  remedy: string;
}

const NOT_CHECKED = 'Sightglass could not check for updates.';
const NOT_DOWNLOADED = 'The update could not be downloaded.';
const NOT_INSTALLED = 'The update cannot be installed.';
const DOWNLOAD_IT =
  'Download the new version from the place where you got this one, and replace the app.';
const DAMAGED = 'The update was damaged during the download.';
const UNSIGNED = `macOS updates only apps that are signed by their developer, and this copy is not. ${DOWNLOAD_IT}`;

/** Matches error codes of electron-updater, HTTP, Chromium and Node, then messages of Squirrel.Mac. */
const KNOWN: readonly [pattern: RegExp, what: string | undefined, remedy: string][] = [
  [
    /ERR_UPDATER_(CHANNEL_FILE|LATEST_VERSION|RELEASE)_NOT_FOUND|No published versions|(HTTP_ERROR_|HttpError: )404/,
    'No release of Sightglass was found.',
    'There may be none yet, or the newest one is still being published. Check again later.',
  ],
  [
    /(HTTP_ERROR_|HttpError: )(403|429)/,
    NOT_CHECKED,
    'The server refuses requests from this network for now. Check again in an hour.',
  ],
  [/(HTTP_ERROR_|HttpError: )5/, undefined, 'The server reported an error. Check again later.'],
  [
    /ERR_CHECKSUM_MISMATCH/,
    DAMAGED,
    'It was deleted, and nothing was installed. Check again to download it once more.',
  ],
  [
    /net::ERR_(CERT|SSL)/,
    undefined,
    'The connection is not secure. Check the date and time on this Mac, and whether a proxy intercepts connections.',
  ],
  [
    /net::ERR_|ECONN(REFUSED|RESET|ABORTED)|ENOTFOUND|ETIMEDOUT|EAI_AGAIN|Request timed out/,
    undefined,
    'The server could not be reached. Check your internet connection, then try again.',
  ],
  [
    /ERR_UPDATE_NOT_PREPARED/,
    'macOS did not prepare the update.',
    'Quit Sightglass, open it again, and check once more.',
  ],
  [/ENOSPC/, NOT_DOWNLOADED, 'The disk is full. Free some space, then check again.'],
  [
    /ERR_UPDATER_INVALID_UPDATE_INFO/,
    NOT_CHECKED,
    'The response does not describe a release. If your network requires you to sign in, do so, then check again.',
  ],
  [
    /ERR_UPDATER_(ZIP_FILE_NOT_FOUND|NO_FILES_PROVIDED|NO_CHECKSUM|INVALID)|ERR_XML/,
    'The newest release cannot be used for an update.',
    `Its files are incomplete. ${DOWNLOAD_IT}`,
  ],
  [/app-update\.yml/, NOT_CHECKED, `This copy does not know where to find updates. ${DOWNLOAD_IT}`],
  [/Could not get code signature/, NOT_INSTALLED, UNSIGNED],
  [
    /code failed to satisfy|did not pass validation/,
    NOT_INSTALLED,
    `It is not signed by the developer of this copy. ${DOWNLOAD_IT}`,
  ],
  [
    /read-only volume/,
    NOT_INSTALLED,
    'Sightglass runs from a disk image or a quarantined folder. Quit it, move it to Applications, open it there, and check again.',
  ],
  [
    /Could not extract|ditto/,
    DAMAGED,
    'Nothing was installed. Check again to download it once more.',
  ],
];

/** A timeout that restarts with every sign of progress. */
interface ProgressTimeout {
  /** Rejects with an error that has `code` once there has been no progress for `withinMs`. */
  expired: Promise<never>;
  /** Restarts the timeout, optionally with a different duration and code. */
  progress(wait?: { withinMs: number; code: string }): void;
  stop(): void;
}

/**
 * Starts a progress timeout. It is needed because Chromium waits indefinitely for a server that accepts a
 * connection and never answers, and Squirrel.Mac may neither prepare an update nor report an error.
 */
export function startProgressTimeout(wait: { withinMs: number; code: string }): ProgressTimeout {
  const { promise: expired, reject } = Promise.withResolvers<never>();
  let timer: NodeJS.Timeout | undefined;
  let current = wait;
  const progress = (next = current) => {
    current = next;
    clearTimeout(timer);
    timer = setTimeout(() => {
      const { code, withinMs } = current;
      reject(Object.assign(new Error(`no progress for ${withinMs / 1000} s`), { code }));
    }, current.withinMs);
  };
  progress();
  return { expired, progress, stop: () => clearTimeout(timer) };
}

/** Explains why a check or a download failed. */
export function toUpdateTrouble(error: unknown, phase: 'check' | 'download'): UpdateTrouble {
  const { code = '', message = String(error) } = Object(error) as Partial<Error & { code: string }>;
  const known = KNOWN.find(([pattern]) => pattern.test(`${code} ${message}`));
  const what = phase === 'check' ? NOT_CHECKED : NOT_DOWNLOADED;
  if (known !== undefined) return { message: known[1] ?? what, remedy: known[2] };
  const [reason = ''] = message.split('\n');
  return { message: what, remedy: `${reason.slice(0, 200)} See the log for details (Open Logs).` };
}

/** Explains why this copy cannot update itself; undefined if its signature allows it. */
export function toUpdateObstacle(signature: CodeSignature): string | undefined {
  return signature === 'adhoc' || signature === 'none' ? UNSIGNED : undefined;
}

/**
 * How an app is signed: with a developer's identity, ad hoc (each build is a different app to macOS),
 * or not at all. `unknown` if codesign's output does not show it.
 */
export type CodeSignature = 'identity' | 'adhoc' | 'none' | 'unknown';

/** Reads the signature of an app bundle with macOS's `codesign`. */
export async function readCodeSignature(bundle: string): Promise<CodeSignature> {
  const args = ['--display', '--verbose=2', bundle];
  const { all } = await execa('/usr/bin/codesign', args, { all: true, reject: false });
  return toCodeSignature(all ?? '');
}

/** Reads what `codesign --display --verbose=2` prints. */
export function toCodeSignature(output: string): CodeSignature {
  if (output.includes('code object is not signed at all')) return 'none';
  // Even an unsigned arm64 binary has the linker's ad hoc signature.
  if (/^Signature=adhoc$/m.test(output)) return 'adhoc';
  return /^Authority=/m.test(output) ? 'identity' : 'unknown';
}
