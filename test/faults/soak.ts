import { setTimeout } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { endless, post, question } from '../support/chat.ts';
import { ask, type KnownPicture, knownPictures, Tally } from './clients.ts';
import { ServiceProcess } from './service-process.ts';

// `npm run soak -- --minutes 60`: sends mixed requests, with errors and disconnects, to one service for a
// long time. Prints how memory, open files and temporary folders changed after the warm-up. Run it for 60
// minutes before a release.

const SAMPLE_EVERY_MS = 10_000;
/** The share of the time that is not measured, while caches fill up and the heap grows. */
const WARM_UP_SHARE = 0.25;
/** Two standard errors: about 95 % of a normal distribution. */
const STANDARD_ERRORS = 2;
const MEGABYTE = 1e6;
/** The rows of the table with the allowed growth per hour. At 20 MB, memory would double within days. */
const ROWS = [
  { title: 'Node, resident MB', field: 'nodeMegabytes', allowedPerHour: 20 },
  { title: 'Node, after garbage collection MB', field: 'heldMegabytes', allowedPerHour: 5 },
  { title: 'Python, resident MB', field: 'pythonMegabytes', allowedPerHour: 20 },
  { title: 'Node, open files', field: 'openFiles', allowedPerHour: 5 },
  { title: 'temporary folders', field: 'folders', allowedPerHour: 0 },
] as const;

interface Sample {
  hours: number;
  nodeMegabytes: number;
  /** Heap and external memory after a garbage collection. */
  heldMegabytes: number;
  pythonMegabytes: number;
  openFiles: number;
  folders: number;
}

const { values } = parseArgs({ options: { minutes: { type: 'string', default: '60' } } });
const minutes = Number(values.minutes);
if (!(minutes > 0)) throw new Error('--minutes must be greater than 0.');

const known = await knownPictures();
const service = await ServiceProcess.start([
  '--max-concurrency',
  '4',
  '--response-store-megabytes',
  '4',
]);
const tally = new Tally();
const samples: Sample[] = [];
let [isOver, refusals, disconnects] = [false, 0, 0];

const CLIENTS: readonly ((at: number) => Promise<void>)[] = [
  (at) => ask(service.url, pictureAt(at), false, tally),
  (at) => ask(service.url, pictureAt(at), true, tally),
  (at) => ask(service.url, pictureAt(at * 5), at % 2 === 0, tally),
  async (at) => {
    const bodies = [
      '{',
      { messages: [] },
      question('data:image/png;base64,AAAA'),
      question('file:///x'),
    ];
    const { status } = await post(service.url, bodies[at % bodies.length]);
    if (status < 400 || status >= 500) tally.add('undocumented', `status ${status}`);
    refusals += 1;
    await setTimeout(200);
  },
  async (at) => {
    const controller = new AbortController();
    const body = { ...endless(pictureAt(at).image), stream: at % 2 === 0 };
    const { id, end } = tally.track(`disconnects${body.stream ? ', stream' : ''}`);
    const response = post(service.url, body, {
      signal: controller.signal,
      headers: { 'x-request-id': id },
    });
    await setTimeout(50 + ((at * 37) % 400));
    controller.abort();
    await response.catch(() => {}); // rejects because of the abort
    end();
    disconnects += 1;
  },
  async (at) => {
    const input = [
      { role: 'user', content: [{ type: 'input_image', image_url: pictureAt(at).image }] },
    ];
    const { id, end } = tally.track('responses');
    const response = await fetch(`${service.url}/v1/responses`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'x-request-id': id },
      body: JSON.stringify({ input, max_output_tokens: 16 }),
    });
    await response.text();
    end();
    if (response.status !== 200) tally.add('undocumented', `responses: ${response.status}`);
    await setTimeout(500);
  },
];

function pictureAt(at: number): KnownPicture {
  const picture = known[at % known.length];
  if (picture === undefined) throw new TypeError('There are no pictures.');
  return picture;
}

const startedAt = performance.now();
const elapsedMs = () => performance.now() - startedAt;
const clients = CLIENTS.map(async (act) => {
  for (let at = 0; !isOver; at += 1) await act(at);
});
while (elapsedMs() < minutes * 60_000) {
  await setTimeout(SAMPLE_EVERY_MS);
  const vitals = await service.vitals({ collect: true });
  const sample = {
    hours: elapsedMs() / 3_600_000,
    nodeMegabytes: vitals.rssBytes / MEGABYTE,
    heldMegabytes: vitals.heldBytes / MEGABYTE,
    pythonMegabytes: (await service.runtimeBytes()) / MEGABYTE,
    openFiles: vitals.openFiles,
    folders: await service.temporaryFolders(),
  };
  samples.push(sample);
  process.stderr.write(
    `${(sample.hours * 60).toFixed(1)} min: Node ${sample.nodeMegabytes.toFixed(0)} MB ` +
      `(${sample.heldMegabytes.toFixed(1)} in use), Python ${sample.pythonMegabytes.toFixed(0)} MB, ` +
      `${sample.openFiles} files, ${sample.folders} folders; ${tally}\n`,
  );
}
isOver = true;
await Promise.all(clients);
await service.stop();

const measured = samples.slice(Math.floor(samples.length * WARM_UP_SHARE));
const problems = [...tally.problems];
const rows = ROWS.map(({ title, field, allowedPerHour }) => {
  const points = measured.map((sample) => [sample.hours, sample[field]] as const);
  const { slope, uncertainty } = slopePerHour(points);
  const all = points.map(([, value]) => value);
  if (slope - uncertainty > allowedPerHour) problems.push(`${title}: grows by ${slope} per hour`);
  const range = `${Math.min(...all).toFixed(0)} to ${Math.max(...all).toFixed(0)}`;
  return `| ${title} | ${range} | ${slope.toFixed(1)} ± ${uncertainty.toFixed(1)} |`;
});
process.stdout.write(
  `${minutes} minutes: ${tally}; ${refusals} refused, ${disconnects} disconnected\n\n` +
    `| after ${Math.round(minutes * WARM_UP_SHARE)} minutes | range | per hour (95 %) |\n| --- | --- | --- |\n` +
    `${rows.join('\n')}\n\n${problems.join('\n')}\n`,
);
process.stdout.write(problems.length === 0 ? '1 passed, 0 failed\n' : '0 passed, 1 failed\n');
process.exitCode = problems.length === 0 ? 0 : 1;

/**
 * The least-squares slope of points [hours, value], in values per hour, with its uncertainty (95 %).
 * Successive samples are not independent, so the actual uncertainty is larger.
 */
function slopePerHour(points: readonly (readonly [number, number])[]) {
  const count = points.length;
  if (count < 3) return { slope: Number.NaN, uncertainty: Number.NaN };
  const mean = (at: 0 | 1) => points.reduce((sum, point) => sum + point[at], 0) / count;
  const [meanX, meanY] = [mean(0), mean(1)];
  const spread = points.reduce((sum, [x]) => sum + (x - meanX) ** 2, 0);
  const slope = points.reduce((sum, [x, y]) => sum + (x - meanX) * (y - meanY), 0) / spread;
  const residuals = points.reduce((sum, [x, y]) => sum + (y - meanY - slope * (x - meanX)) ** 2, 0);
  const uncertainty = STANDARD_ERRORS * Math.sqrt(residuals / (count - 2) / spread);
  return { slope, uncertainty };
}
