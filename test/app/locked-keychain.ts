import { readFile } from 'node:fs/promises';
import { type StubbedApp, startStubbed } from '../support/packaged-app.ts';

/** Encrypts like the stand-in's safeStorage. */
const encrypt = (text: string) =>
  Buffer.concat([
    Buffer.from('stand-in:'),
    Buffer.from(Buffer.from(text).map((byte) => byte ^ 0xff)),
  ]).toString('base64');

/** The API key in the keychain. */
export const KEY = 'sk-of-the-keychain';
/** What the settings file contains beside the settings. */
export const stored = { apiKeySecret: encrypt(KEY), hubTokenSecret: encrypt('hf_token') };

/** An app that allows access from the network, with its key in a locked keychain. */
export const startLocked = () =>
  startStubbed(
    { host: '0.0.0.0' },
    {
      stored,
      isKeychainOpen: false,
      onStart: (stub) => {
        stub.ready();
        void stub.requests.at(0).then(({ id }) => stub.answer(id, 'Hello.'));
      },
    },
  );

/** The content of the settings file. */
export const content = async ({ settingsFile }: StubbedApp) =>
  JSON.parse(await readFile(settingsFile, 'utf8'));
