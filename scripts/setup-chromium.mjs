import { existsSync } from 'node:fs';
import { runStep, SetupError } from './setup-step.mjs';

const PLACES = [
  '/usr/bin/chromium',
  '/usr/bin/chromium-browser',
  '/usr/bin/google-chrome',
  '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
  '/Applications/Chromium.app/Contents/MacOS/Chromium',
];

/** The browser that the panel's tests drive: `SIGHTGLASS_CHROMIUM`, or where it usually is. */
export function findChromium() {
  const named = process.env.SIGHTGLASS_CHROMIUM;
  return (named === undefined ? PLACES : [named]).find(existsSync);
}

/** Installs it on Debian when root runs setup; elsewhere the panel's tests are skipped. */
export async function ensureChromium(root) {
  if (findChromium() !== undefined) return;
  const isDebian = existsSync('/usr/bin/apt-get') && process.getuid?.() === 0;
  try {
    const named = process.env.SIGHTGLASS_CHROMIUM;
    if (named !== undefined)
      throw new SetupError(`SIGHTGLASS_CHROMIUM names ${named}, which does not exist.`);
    if (!isDebian)
      throw new SetupError(
        'Chromium is not installed. Install it, or name one in SIGHTGLASS_CHROMIUM.',
      );
    const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
    const apt = (...args) => ({ command: 'apt-get', args: ['-qq', ...args], env, remedy: '' });
    const install = apt('install', '-y', '--no-install-recommends', 'chromium');
    await runStep(root, { title: 'Updating the list of Debian packages', ...apt('update') });
    await runStep(root, { title: 'Installing Chromium for the tests', ...install });
  } catch (error) {
    if (!(error instanceof SetupError)) throw error;
    process.stderr.write(`${error.message}\nThe panel's tests will be skipped.\n`);
  }
}
