import { launch, readiness } from '../readiness.ts';
import { record } from '../record.ts';
import { refuseUnknown } from '../strict.ts';

// No secret is kept here: the mark and the flipped bits only make sure that what was not encrypted
// is told from what was.
const MARK = Buffer.from('stand-in:');
let isAvailable = launch.isKeychainOpen;

const flip = (bytes: Buffer) => Buffer.from(bytes.map((byte) => byte ^ 0xff));

function encrypt(text: string): Buffer {
  requireAvailable();
  return Buffer.concat([MARK, flip(Buffer.from(text))]);
}

function decrypt(secret: Buffer): string {
  requireAvailable();
  if (!secret.subarray(0, MARK.length).equals(MARK)) {
    throw new Error('Error while decrypting the ciphertext provided to safeStorage');
  }
  return flip(secret.subarray(MARK.length)).toString();
}

function requireAvailable(): void {
  readiness.require('safeStorage');
  if (!isAvailable) throw new Error('Encryption is not available');
}

/** On macOS any of these may ask the user for the keychain, so each call is recorded. */
const touching =
  <Args extends unknown[], Result>(name: string, act: (...args: Args) => Result) =>
  (...args: Args): Result => {
    record(`safeStorage.${name}`);
    return act(...args);
  };

export const safeStorage = refuseUnknown('safeStorage', {
  isEncryptionAvailable: touching('isEncryptionAvailable', () => readiness.isReady && isAvailable),
  encryptString: touching('encryptString', encrypt),
  decryptString: touching('decryptString', decrypt),
  isAsyncEncryptionAvailable: touching(
    'isAsyncEncryptionAvailable',
    async () => readiness.isReady && isAvailable,
  ),
  encryptStringAsync: touching('encryptStringAsync', async (text: string) => encrypt(text)),
  decryptStringAsync: touching('decryptStringAsync', async (secret: Buffer) => ({
    shouldReEncrypt: false,
    result: decrypt(secret),
  })),
});

/** Whether the user allows the app to use the keychain. */
export function setKeychain(isOpen: boolean): void {
  isAvailable = isOpen;
}
