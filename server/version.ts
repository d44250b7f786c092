import { existsSync, readFileSync } from 'node:fs';

/** The version of Sightglass, from the package.json that this file belongs to. */
export function sightglassVersion(): string {
  let file = new URL('./package.json', import.meta.url);
  while (!existsSync(file) && file.pathname !== '/package.json')
    file = new URL('../package.json', file);
  const { version } = JSON.parse(readFileSync(file, 'utf8')) as { version: string };
  return version;
}
