// The last step of `npm run app`: runs the built menu-bar app in Electron. macOS only.

import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));

if (process.platform !== 'darwin') {
  process.stderr.write(
    'The menu-bar app needs macOS. On this machine, `npm start` serves the model without the app,\n' +
      'and `npm test` tests the app with a stand-in for Electron, in Chromium.\n',
  );
  process.exitCode = 1;
} else {
  // Electron 45 downloads its binary on its first run; no install script is needed.
  const electron = spawn('node_modules/.bin/electron', ['.'], { cwd: root, stdio: 'inherit' });
  electron.once('error', (error) => {
    process.stderr.write(`Cannot start Electron: ${error.message}\n`);

    process.exitCode = 1;
  });
  electron.once('exit', (code) => {
    process.exitCode = code ?? 1;
  });
  for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => electron.kill(signal));
}
