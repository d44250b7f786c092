// Writes the pages of `docs/` that are made from the source: `npm run docs`.

import { writeFile } from 'node:fs/promises';
import { compatibilityPage } from './compatibility-table.ts';

const page = new URL('../docs/openai-compatibility.md', import.meta.url);
await writeFile(page, compatibilityPage());
