// Run by contents.test.ts: starts the packaged service and asks it about a picture. Apart from drawing the
// picture, uses only the packaged code.

import { pathToFileURL } from 'node:url';
import { drawShape, toDataUrl } from '../support/pictures.ts';

const [unpacked, resources] = process.argv.slice(2).map((folder) => pathToFileURL(`${folder}/`));
const load = (file) => import(new URL(`dist/server/${file}`, unpacked).href);
const [
  { Service },
  { Settings },
  { createRuntimeCommand, createModelsCommand },
  { inspectModel, measureMachine },
  { ModelsProgram },
  { suggestModels },
  { diagnose },
  { sightglassVersion },
] = await Promise.all(
  [
    'service.js',
    'settings.js',
    'runtime/process.js',
    'models/find-models.js',
    'models/program.js',
    'models/views.js',
    'doctor/doctor.js',
    'version.js',
  ].map(load),
);
const { default: pino } = await import(new URL('node_modules/pino/pino.js', unpacked).href);
const modelPath = new URL('models/demo', resources).pathname;
const command = createRuntimeCommand(resources);
const log = pino({ level: 'warn' }, pino.destination(2));
const service = new Service({ settings: Settings.parse({ modelPath, port: 0 }), command, log });
const port = await service.start();
try {
  const url = toDataUrl(await drawShape({ shape: 'circle', color: 'red' }), 'image/png');
  const content = [
    { type: 'image_url', image_url: { url } },
    { type: 'text', text: 'What is in this image?' },
  ];
  const response = await fetch(`http://127.0.0.1:${port}/v1/chat/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ messages: [{ role: 'user', content }] }),
  });
  const { choices } = await response.json();
  const program = new ModelsProgram(createModelsCommand(resources), log);
  const { type } = await inspectModel(modelPath, { program, maxConcurrency: 1 });
  const suggested = await suggestModels(resources, await measureMachine(program), 1);
  const settings = { modelPath, port, host: '127.0.0.1', maxConcurrency: 1 };
  const { checks } = await diagnose({ version: sightglassVersion(), resources, settings, log });
  const foundOf = (wanted) => checks.find(({ name }) => name === wanted).found;
  process.stdout.write(
    JSON.stringify({
      python: command.python,
      answer: choices[0].message.content,
      type,
      suggestsModels: suggested.length > 0,
      version: sightglassVersion(),
      doctor: ['mlx_vlm', 'port', 'fuses'].map(foundOf),
    }),
  );
} finally {
  await service.stop();
}
