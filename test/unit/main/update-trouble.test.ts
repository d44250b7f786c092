import assert from 'node:assert/strict';
import { mock, test } from 'node:test';
import {
  type CodeSignature,
  startProgressTimeout,
  toCodeSignature,
  toUpdateObstacle,
  toUpdateTrouble,
} from '../../../main/update-trouble.ts';

/** As electron-updater, Chromium, Node and Squirrel.Mac report them. */
const failures: [error: string, code: string, shown: RegExp][] = [
  [
    'Cannot find channel "latest-mac.yml" update info',
    'ERR_UPDATER_CHANNEL_FILE_NOT_FOUND',
    /^No release/,
  ],
  ['No published versions on GitHub', 'ERR_XML_MISSED_ELEMENT', /^No release/],
  [
    'Unable to find latest version on GitHub, please ensure a production release exists',
    'ERR_UPDATER_LATEST_VERSION_NOT_FOUND',
    /^No release/,
  ],
  ['404 Not Found', 'HTTP_ERROR_404', /^No release/],
  ['403 rate limit exceeded', 'HTTP_ERROR_403', /Check again in an hour/],
  ['503 Service Unavailable', 'HTTP_ERROR_503', /server reported an error/],
  ['net::ERR_INTERNET_DISCONNECTED', '', /internet connection/],
  ['net::ERR_NAME_NOT_RESOLVED', '', /internet connection/],
  [
    'Cannot parse releases feed: Error: Unable to find latest version: Error: net::ERR_CONNECTION_RESET',
    'ERR_UPDATER_INVALID_RELEASE_FEED',
    /internet connection/,
  ],
  ['net::ERR_CERT_DATE_INVALID', '', /date and time on this Mac/],
  ['sha512 checksum mismatch', 'ERR_CHECKSUM_MISMATCH', /damaged.*nothing was installed/],
  ['ENOSPC: no space left on device, write', 'ENOSPC', /disk is full/],
  ['ZIP file not provided', 'ERR_UPDATER_ZIP_FILE_NOT_FOUND', /files are incomplete/],
  [
    "ENOENT: no such file, open '/…/app-update.yml'",
    'ENOENT',
    /does not know where to find updates/,
  ],
  ['Could not get code signature for running application', '', /signed by their developer/],
  [
    'Code signature at URL file:///x/ did not pass validation: code failed to satisfy specified code requirement(s)',
    '',
    /not signed by the developer of this copy/,
  ],
  ['Cannot update while running on a read-only volume.', '', /move it to Applications/],
  [
    'Cannot parse update info from latest-mac.yml, rawData: <html>Sign in</html>',
    'ERR_UPDATER_INVALID_UPDATE_INFO',
    /requires you to sign in/,
  ],
  ['no progress for 120 s', 'ETIMEDOUT', /could not be reached/],
  ['no progress for 600 s', 'ERR_UPDATE_NOT_PREPARED', /^macOS did not prepare .* Quit/],
  ['Something new\n    at a stack', '', /^Sightglass could not check .* Something new See the log/],
];
for (const [message, code, shown] of failures) {
  test(`a failed update is explained: ${message.slice(0, 60)}`, () => {
    const trouble = toUpdateTrouble(Object.assign(new Error(message), { code }), 'check');
    assert.match(`${trouble.message} ${trouble.remedy}`, shown);
  });
}

const printed: [output: string, signature: CodeSignature][] = [
  [
    'Executable=/Applications/Sightglass.app/Contents/MacOS/Sightglass\nIdentifier=app.sightglass\nCodeDirectory v=20500 size=1 flags=0x10000(runtime) hashes=1+7\nSignature size=9012\nAuthority=Developer ID Application: Someone (TEAM123456)\nAuthority=Developer ID Certification Authority\nAuthority=Apple Root CA\nTeamIdentifier=TEAM123456',
    'identity',
  ],
  [
    'Executable=/x/Sightglass.app/Contents/MacOS/Sightglass\nIdentifier=app.sightglass\nCodeDirectory v=20400 size=1 flags=0x2(adhoc) hashes=1+3\nSignature=adhoc\nTeamIdentifier=not set',
    'adhoc',
  ],
  ['/x/Sightglass.app: code object is not signed at all', 'none'],
  ['', 'unknown'],
];
for (const [output, signature] of printed) {
  test(`codesign's output is read as the signature "${signature}"`, () => {
    assert.equal(toCodeSignature(output), signature);
  });
}

test('an app that is unsigned or signed ad hoc cannot update itself', () => {
  const obstacles = (['identity', 'unknown', 'adhoc', 'none'] as const).map(toUpdateObstacle);
  assert.deepEqual(
    obstacles.map((obstacle) => obstacle !== undefined),
    [false, false, true, true],
  );
});

test('a thrown value that is not an Error is explained too', () => {
  assert.match(toUpdateTrouble('odd', 'check').remedy, /^odd See the log/);
  assert.match(toUpdateTrouble(undefined, 'download').message, /could not be downloaded/);
});

test('an update times out when it makes no progress, no matter how long it has been running', async (t) => {
  mock.timers.enable({ apis: ['setTimeout'] });
  t.after(() => mock.timers.reset());
  const timeout = startProgressTimeout({ withinMs: 1000, code: 'ETIMEDOUT' });
  const outcome = timeout.expired.catch(({ code }) => code);
  for (let step = 0; step < 5; step += 1) {
    mock.timers.tick(900);
    timeout.progress();
  }
  timeout.progress({ withinMs: 5000, code: 'ERR_UPDATE_NOT_PREPARED' });
  mock.timers.tick(4999);
  assert.equal(await Promise.race([outcome, Promise.resolve('waiting')]), 'waiting');
  mock.timers.tick(1);
  assert.equal(await outcome, 'ERR_UPDATE_NOT_PREPARED');
});
