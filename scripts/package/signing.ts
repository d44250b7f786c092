// Decides from the environment how to sign the packaged app. With a certificate (`CSC_LINK`, or the name
// of one in the keychain in `CSC_NAME`) it gets a Developer ID signature. Without one, and on pull requests,
// which have no secrets, it is signed ad hoc, so that it runs on this Mac: Apple silicon kills unsigned code.

type Environment = Readonly<Record<string, string | undefined>>;

/** The credentials that electron-builder accepts for notarization. One complete group is needed. */
const CREDENTIALS = [
  ['APPLE_ID', 'APPLE_APP_SPECIFIC_PASSWORD', 'APPLE_TEAM_ID'],
  ['APPLE_API_KEY', 'APPLE_API_KEY_ID', 'APPLE_API_ISSUER'],
  ['APPLE_KEYCHAIN_PROFILE'],
] as const;

export interface Signing {
  isDeveloperId: boolean;
  isNotarized: boolean;
  /** The environment variables for the build. */
  env: Record<string, string>;
  /** Command-line options for electron-builder. */
  options: string[];
}

/** @throws Error if credentials are incomplete, which electron-builder would only report after signing */
export function planSigning(environment: Environment): Signing {
  const env = withoutEmpty(environment);
  const isPullRequest = env['GITHUB_BASE_REF'] !== undefined;
  const hasCertificate = env['CSC_LINK'] !== undefined || env['CSC_NAME'] !== undefined;
  if (isPullRequest || !hasCertificate) {
    return {
      isDeveloperId: false,
      isNotarized: false,
      // Otherwise electron-builder would use any certificate in the keychain, even a self-signed one.
      env: { ...withoutSigning(env), CSC_IDENTITY_AUTO_DISCOVERY: 'false' },
      options: ['-c.mac.notarize=false'],
    };
  }
  const isNotarized = hasCredentials(env);
  return {
    isDeveloperId: true,
    isNotarized,
    env,
    // Fail if the certificate cannot be used, instead of building an unsigned app.
    options: ['-c.forceCodeSigning=true', `-c.mac.notarize=${isNotarized}`],
  };
}

/**
 * Removes empty variables. A workflow sets a missing secret to an empty string, which electron-builder
 * treats as a value: `CSC_LINK=""` as a file, `CSC_FOR_PULL_REQUEST=""` as true.
 */
function withoutEmpty(environment: Environment): Record<string, string> {
  const entries = Object.entries(environment).filter(
    (entry): entry is [string, string] =>
      entry[1] !== undefined &&
      (entry[1].trim() !== '' || !/^(CSC_|APPLE_|GITHUB_BASE_REF$)/.test(entry[0])),
  );
  return Object.fromEntries(entries);
}

function withoutSigning(env: Record<string, string>): Record<string, string> {
  return Object.fromEntries(Object.entries(env).filter(([name]) => !/^(CSC|APPLE)_/.test(name)));
}

function hasCredentials(env: Record<string, string>): boolean {
  // Like electron-builder, use the first group that has a variable set.
  const group = CREDENTIALS.find((names) => names.some((name) => isCredential(env, name)));
  if (group === undefined) return false;
  const missing = group.filter((name) => env[name] === undefined);
  if (missing.length === 0) return true;
  const present = group.filter((name) => env[name] !== undefined);
  throw new Error(
    `Notarization needs ${missing.join(' and ')} as well as ${present.join(' and ')}. ` +
      'Set all of them, or none to build an app that is signed but not notarized.',
  );
}

/** `APPLE_TEAM_ID` alone does not request notarization: developers also set it for Xcode. */
function isCredential(env: Record<string, string>, name: string): boolean {
  return name !== 'APPLE_TEAM_ID' && env[name] !== undefined;
}
