// How the packaged app is signed, decided by the environment alone. With a certificate (`CSC_LINK`, or
// the name of one in the keychain in `CSC_NAME`) it is a Developer ID signature. Without one, and on pull
// requests, which get no secrets, it is ad hoc: enough to run here, since Apple silicon kills unsigned code.

type Environment = Readonly<Record<string, string | undefined>>;

/** The credentials that electron-builder accepts for notarization: all of one group. */
const CREDENTIALS = [
  ['APPLE_ID', 'APPLE_APP_SPECIFIC_PASSWORD', 'APPLE_TEAM_ID'],
  ['APPLE_API_KEY', 'APPLE_API_KEY_ID', 'APPLE_API_ISSUER'],
  ['APPLE_KEYCHAIN_PROFILE'],
] as const;

export interface Signing {
  isDeveloperId: boolean;
  isNotarized: boolean;
  /** The environment to build in. */
  env: Record<string, string>;
  /** Options for electron-builder's command line. */
  options: string[];
}

/** @throws Error when credentials are incomplete, which electron-builder reports only after signing. */
export function planSigning(environment: Environment): Signing {
  const env = withoutEmpty(environment);
  const isPullRequest = env['GITHUB_BASE_REF'] !== undefined;
  const hasCertificate = env['CSC_LINK'] !== undefined || env['CSC_NAME'] !== undefined;
  if (isPullRequest || !hasCertificate) {
    return {
      isDeveloperId: false,
      isNotarized: false,
      // Any other certificate in the keychain, self-signed ones included, would be used instead.
      env: { ...withoutSigning(env), CSC_IDENTITY_AUTO_DISCOVERY: 'false' },
      options: ['-c.mac.notarize=false'],
    };
  }
  const isNotarized = hasCredentials(env);
  return {
    isDeveloperId: true,
    isNotarized,
    env,
    // A certificate that cannot be used is an error, not an app without a signature.
    options: ['-c.forceCodeSigning=true', `-c.mac.notarize=${isNotarized}`],
  };
}

/**
 * A secret that a workflow does not have becomes an empty variable, which electron-builder takes for a
 * value: `CSC_LINK=""` for a file, `CSC_FOR_PULL_REQUEST=""` for true.
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
  // The order is electron-builder's: the first group of which anything is set is the one it uses.
  const group = CREDENTIALS.find((names) => names.some((name) => isCredential(env, name)));
  if (group === undefined) return false;
  const missing = group.filter((name) => env[name] === undefined);
  if (missing.length === 0) return true;
  const given = group.filter((name) => env[name] !== undefined);
  throw new Error(
    `Notarization needs ${missing.join(' and ')} as well as ${given.join(' and ')}. ` +
      'Set all of them, or none for an app that is signed but not notarized.',
  );
}

/** A team alone does not ask for notarization: developers export it for Xcode. */
function isCredential(env: Record<string, string>, name: string): boolean {
  return name !== 'APPLE_TEAM_ID' && env[name] !== undefined;
}
