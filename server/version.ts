import { existsSync, readFileSync } from 'node:fs';

/** Sightglass's version, from the nearest package.json above this file: in a checkout or in `dist`. */
export function sightglassVersion(): string {
  let file = new URL('./package.json', import.meta.url);
  while (!existsSync(file) && file.pathname !== '/package.json')
    file = new URL('../package.json', file);
  const { version } = JSON.parse(readFileSync(file, 'utf8')) as { version: string };
  return version;
}
