// `npm run docs`: writes the pages in `docs/` that are generated from the source.

import { writeFile } from 'node:fs/promises';
import { doctorSchema } from '../server/doctor/doctor.ts';
import { compatibilityPage } from './compatibility-table.ts';

const page = new URL('../docs/openai-compatibility.md', import.meta.url);
await writeFile(page, compatibilityPage());

const schema = new URL('../docs/doctor.schema.json', import.meta.url);
await writeFile(schema, doctorSchema());
