import { readFile } from 'node:fs/promises';
import { type StubbedApp, startStubbed } from '../support/packaged-app.ts';

/** As the stand-in's safeStorage encrypts it. */
const encrypt = (text: string) =>
  Buffer.concat([
    Buffer.from('stand-in:'),
    Buffer.from(Buffer.from(text).map((byte) => byte ^ 0xff)),
  ]).toString('base64');
export const KEY = 'sk-of-the-keychain';
export const stored = { apiKeySecret: encrypt(KEY), hubTokenSecret: encrypt('hf_token') };

/** An app that is open to the network, its key in a keychain that is locked. */
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
export const content = async ({ settingsFile }: StubbedApp) =>
  JSON.parse(await readFile(settingsFile, 'utf8'));
