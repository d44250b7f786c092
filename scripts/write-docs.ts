// Writes the pages of `docs/` that are made from the source: `npm run docs`.

import { writeFile } from 'node:fs/promises';
import { doctorSchema } from '../server/doctor/doctor.ts';
import { compatibilityPage } from './compatibility-table.ts';

const page = new URL('../docs/openai-compatibility.md', import.meta.url);
await writeFile(page, compatibilityPage());

const schema = new URL('../docs/doctor.schema.json', import.meta.url);
await writeFile(schema, doctorSchema());
