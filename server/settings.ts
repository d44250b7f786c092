import { z } from 'zod';

/** What a setting tells the command line beside its schema: the flag as commander writes it. */
export interface SettingMeta {
  flag: string;
  description: string;
}

function setting<Schema extends z.ZodType>(flag: string, description: string, schema: Schema) {
  return schema.meta({ flag, description } satisfies SettingMeta);
}

/** An origin as browsers send it: `*`, or scheme and host without a path. */
const CorsOrigin = z
  .string()
  .refine((text) => text === '*' || (URL.canParse(text) && new URL(text).origin === text), {
    error: '* or an origin such as https://app.example, without a path or a final slash',
  });

/** A name as in a Host header, without a port. */
const AllowedHost = z.string().regex(/^(\*|(\*\.)?[a-z0-9_-]+(\.[a-z0-9_-]+)*\.?)$/i, {
  error: 'a host name such as mac.example.com or *.example.com, without a port, or *',
});

function splitAtCommas(value: unknown): unknown {
  return typeof value === 'string' ? value.split(',').map((part) => part.trim()) : value;
}

/**
 * Every setting of the service, its limits, default and command-line flag, in this one place.
 * The first seven flags and their defaults are the seed's, but for the host: the command line gives
 * the seed's 0.0.0.0, the app stays on 127.0.0.1 until a person opens it.
 */
export const Settings = z.object({
  modelPath: setting(
    '--model-path <path>',
    'model folder, or Hugging Face id',
    z.string().trim().min(1),
  ),
  modelType: setting(
    '--model-type <type>',
    'type of model; mlx_vlm is the only one supported',
    z.literal('mlx_vlm', { error: 'only mlx_vlm is supported' }).default('mlx_vlm'),
  ),
  maxConcurrency: setting(
    '--max-concurrency <count>',
    'queued requests that run at once. 1 is safe: on Apple GPUs concurrent generation has ' +
      'corrupted answers (Blaizzy/mlx-vlm#1668)',
    z.int().min(1).max(1024).default(1),
  ),
  queueTimeoutSeconds: setting(
    '--queue-timeout <seconds>',
    'deadline of a queued request from its arrival, waiting and running together; a stream waits ' +
      'this long for a model that is not ready',
    z.number().positive().max(86_400).default(300),
  ),
  queueSize: setting(
    '--queue-size <count>',
    'requests that may wait; one more is refused with 429',
    z.int().min(0).max(1_000_000).default(100),
  ),
  port: setting(
    '--port <port>',
    'port to listen on; 0 picks a free one',
    z.int().min(0).max(65_535).default(8000),
  ),
  host: setting(
    '--host <address>',
    'address to listen on',
    z.string().trim().min(1).default('127.0.0.1'),
  ),
  apiKey: setting(
    '--api-key <key>',
    'key that clients must send (Bearer or x-api-key); the environment variable ' +
      'SIGHTGLASS_API_KEY does not show in the process list',
    z
      .string()
      .regex(/^[\x21-\x7e]+$/, { error: 'letters, digits and signs of ASCII, no spaces' })
      .optional(),
  ),
  queuePolicy: setting(
    '--queue-policy <fifo|fair>',
    'who is next: fifo, first come first served; fair, clients take turns',
    z.enum(['fifo', 'fair']).default('fifo'),
  ),
  maxStreams: setting(
    '--max-streams <count>',
    'streaming requests served at once (they do not queue); no limit if not given',
    z.int().min(1).max(100_000).optional(),
  ),
  allowTextOnly: setting(
    '--allow-text-only',
    'also answer conversations without an image',
    z.boolean().default(false),
  ),
  strictParameters: setting(
    '--strict-parameters',
    'refuse parameters that would be ignored (docs/openai-compatibility.md says which)',
    z.boolean().default(false),
  ),
  maxAnswerTokens: setting(
    '--max-answer-tokens <count>',
    'longest answer, whatever a request asks for; if not given, an answer may use the rest of the ' +
      'context',
    z.int().min(1).max(100_000_000).optional(),
  ),
  allowPrivateImageUrls: setting(
    '--allow-private-image-urls',
    'fetch image URLs from private, loopback and link-local addresses too',
    z.boolean().default(false),
  ),
  contact: setting(
    '--contact <text>',
    'e-mail address or web page that image hosts are sent with each download, in the User-Agent; ' +
      'Wikimedia and others ask for one',
    z
      .string()
      .trim()
      .regex(/^[\x20-\x27\x2a-\x5b\x5d-\x7e]{1,200}$/, {
        error: 'at most 200 characters of ASCII without parentheses or backslashes',
      })
      .optional(),
  ),
  maxImageMegabytes: setting(
    '--max-image-megabytes <MB>',
    'largest image accepted, as downloaded or decoded from its data URL',
    z.number().positive().max(1000).default(20),
  ),
  maxImagePixels: setting(
    '--max-image-pixels <count>',
    'pixels above which an image is scaled down (a response header says so)',
    z.int().min(1024).max(200_000_000).default(4_194_304),
  ),
  maxBodyMegabytes: setting(
    '--max-body-megabytes <MB>',
    'largest request body accepted, images included',
    z.number().positive().max(1000).default(100),
  ),
  requestMemoryMegabytes: setting(
    '--request-memory-megabytes <MB>',
    'memory for all requests that are being received, waiting or loading images; beyond it, ' +
      'requests are refused with 429',
    z.number().min(16).max(100_000).default(512),
  ),
  responseStoreMegabytes: setting(
    '--response-store-megabytes <MB>',
    'memory for responses that `previous_response_id` can name, the oldest dropped first; 0 keeps none',
    z.number().min(0).max(10_000).default(64),
  ),
  idleUnloadMinutes: setting(
    '--idle-unload <minutes>',
    'the model leaves memory when there was nothing to do for so long, and is loaded again for the ' +
      'next request; never if not given',
    z.number().positive().max(10_000).optional(),
  ),
  memoryCeilingGigabytes: setting(
    '--memory-ceiling <GB>',
    'when the runtime uses more memory than this, it is restarted between requests; never if ' +
      'not given',
    z.number().positive().max(10_000).optional(),
  ),
  hangTimeoutSeconds: setting(
    '--hang-timeout <seconds>',
    'the runtime is restarted when it has work and makes no progress for so long',
    z.number().min(1).max(3600).default(120),
  ),
  loadingTimeoutSeconds: setting(
    '--loading-timeout <seconds>',
    'the runtime is restarted if the model has not loaded after this time plus a second for every ' +
      '25 MB of its weights',
    z.number().min(1).max(3600).default(120),
  ),
  drainTimeoutSeconds: setting(
    '--drain-timeout <seconds>',
    'how long running requests may continue when the service ends, or the model is changed, restarted ' +
      'or unloaded; then streams end with an error, and other requests start again with the next model',
    z.number().min(0).max(3600).default(120),
  ),
  keepAliveSeconds: setting(
    '--keep-alive <seconds>',
    'how often an idle stream sends an SSE comment, so that clients and proxies keep it open',
    z.number().positive().max(3600).default(15),
  ),
  allowedHosts: setting(
    '--allowed-hosts <list>',
    'host names that clients may use while no key is set, besides addresses, localhost and local ' +
      'names: comma-separated, *.name for a whole domain, * for any',
    z.preprocess(splitAtCommas, z.array(AllowedHost).max(100)).default([]),
  ),
  corsOrigins: setting(
    '--cors-origins <list>',
    'web pages that may call the server: origins such as https://app.example, with commas ' +
      'between them, or * for all',
    z.preprocess(splitAtCommas, z.array(CorsOrigin).max(100)).default([]),
  ),
  logLevel: setting(
    '--log-level <level>',
    'least severe messages to log: trace, debug, info, warn, error or silent',
    z.enum(['trace', 'debug', 'info', 'warn', 'error', 'silent']).default('info'),
  ),
  logFormat: setting(
    '--log-format <pretty|json>',
    'pretty for people (the default on a terminal), json for programs',
    z.enum(['pretty', 'json']).optional(),
  ),
});
export type Settings = z.infer<typeof Settings>;
