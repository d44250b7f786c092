import { existsSync } from 'node:fs';
import { runStep, SetupError } from './setup-step.mjs';

const USUAL_PATHS = [
  '/usr/bin/chromium',
  '/usr/bin/chromium-browser',
  '/usr/bin/google-chrome',
  '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
  '/Applications/Chromium.app/Contents/MacOS/Chromium',
];

/** The path of the browser for the panel tests: `SIGHTGLASS_CHROMIUM`, or one of the usual paths. */
export function findChromium() {
  const configured = process.env.SIGHTGLASS_CHROMIUM;
  return (configured === undefined ? USUAL_PATHS : [configured]).find(existsSync);
}

/** Installs Chromium if setup runs as root on Debian. Otherwise the panel tests are skipped. */
export async function ensureChromium(root) {
  if (findChromium() !== undefined) return;
  const isDebian = existsSync('/usr/bin/apt-get') && process.getuid?.() === 0;
  try {
    const configured = process.env.SIGHTGLASS_CHROMIUM;
    if (configured !== undefined)
      throw new SetupError(`SIGHTGLASS_CHROMIUM is set to ${configured}, which does not exist.`);
    if (!isDebian)
      throw new SetupError(
        'Chromium was not found. Install it, or set SIGHTGLASS_CHROMIUM to its path.',
      );
    const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
    const apt = (...args) => ({ command: 'apt-get', args: ['-qq', ...args], env, remedy: '' });
    const install = apt('install', '-y', '--no-install-recommends', 'chromium');
    await runStep(root, { title: 'Updating the Debian package list', ...apt('update') });
    await runStep(root, { title: 'Installing Chromium for the tests', ...install });
  } catch (error) {
    if (!(error instanceof SetupError)) throw error;
    process.stderr.write(`${error.message}\nThe panel tests will be skipped.\n`);
  }
}
