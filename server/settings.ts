import { z } from 'zod';

/** What the command line needs besides the schema; `flag` is in commander's syntax. */
export interface SettingMeta {
  flag: string;
  description: string;
}

function setting<Schema extends z.ZodType>(flag: string, description: string, schema: Schema) {
  return schema.meta({ flag, description } satisfies SettingMeta);
}

/** `*`, or an origin as browsers send it: scheme and host, without a path. */
const CorsOrigin = z
  .string()
  .refine((text) => text === '*' || (URL.canParse(text) && new URL(text).origin === text), {
    error: '* or an origin such as https://app.example, without a path or trailing slash',
  });

/** A name as in the Host header, without a port. */
const AllowedHost = z.string().regex(/^(\*|(\*\.)?[a-z0-9_-]+(\.[a-z0-9_-]+)*\.?)$/i, {
  error: 'a host name such as mac.example.com or *.example.com, without a port, or *',
});

function splitAtCommas(value: unknown): unknown {
  return typeof value === 'string' ? value.split(',').map((part) => part.trim()) : value;
}

/**
 * All settings of the service, with their limits, defaults and command-line flags. The first seven
 * flags and their defaults are the seed's, except for the host: the command line uses the seed's
 * 0.0.0.0, while the app listens on 127.0.0.1 until the user opens it to the network.
 */
export const Settings = z.object({
  modelPath: setting(
    '--model-path <path>',
    'model to serve: a folder or a Hugging Face id',
    z.string().trim().min(1),
  ),
  modelType: setting(
    '--model-type <type>',
    'type of model; only mlx_vlm is supported',
    z.literal('mlx_vlm', { error: 'only mlx_vlm is supported' }).default('mlx_vlm'),
  ),
  maxConcurrency: setting(
    '--max-concurrency <count>',
    'queued requests that may run concurrently; 1 is safe: on Apple GPUs, concurrent generation has ' +
      'corrupted answers (Blaizzy/mlx-vlm#1668)',
    z.int().min(1).max(1024).default(1),
  ),
  queueTimeoutSeconds: setting(
    '--queue-timeout <seconds>',
    'how long a queued request may take from its arrival, waiting included; a stream waits this ' +
      'long for the model to be ready',
    z.number().positive().max(86_400).default(300),
  ),
  queueSize: setting(
    '--queue-size <count>',
    'requests that may wait in the queue; further ones are refused with 429',
    z.int().min(0).max(1_000_000).default(100),
  ),
  port: setting(
    '--port <port>',
    'port to listen on; 0 picks a free port',
    z.int().min(0).max(65_535).default(8000),
  ),
  host: setting(
    '--host <address>',
    'address to listen on',
    z.string().trim().min(1).default('127.0.0.1'),
  ),
  apiKey: setting(
    '--api-key <key>',
    'key that clients must send (Bearer or x-api-key); unlike this flag, the environment variable ' +
      'SIGHTGLASS_API_KEY does not appear in the process list',
    z
      .string()
      .regex(/^[\x21-\x7e]+$/, {
        error: 'letters, digits and punctuation in ASCII, without spaces',
      })
      .optional(),
  ),
  queuePolicy: setting(
    '--queue-policy <fifo|fair>',
    'which request is next: fifo, first come, first served; fair, clients take turns',
    z.enum(['fifo', 'fair']).default('fifo'),
  ),
  maxStreams: setting(
    '--max-streams <count>',
    'streaming requests served concurrently (they do not queue); unlimited by default',
    z.int().min(1).max(100_000).optional(),
  ),
  allowTextOnly: setting(
    '--allow-text-only',
    'also answer conversations without an image',
    z.boolean().default(false),
  ),
  strictParameters: setting(
    '--strict-parameters',
    'refuse parameters that would be ignored (see docs/openai-compatibility.md)',
    z.boolean().default(false),
  ),
  maxAnswerTokens: setting(
    '--max-answer-tokens <count>',
    'longest answer, even if a request asks for more; by default, an answer may use the rest of the ' +
      'context',
    z.int().min(1).max(100_000_000).optional(),
  ),
  allowPrivateImageUrls: setting(
    '--allow-private-image-urls',
    'also download images from private, loopback and link-local addresses',
    z.boolean().default(false),
  ),
  contact: setting(
    '--contact <text>',
    'e-mail address or web page to send to image hosts in the User-Agent; Wikimedia and others ' +
      'require one',
    z
      .string()
      .trim()
      .regex(/^[\x20-\x27\x2a-\x5b\x5d-\x7e]{1,200}$/, {
        error: 'at most 200 ASCII characters, without parentheses or backslashes',
      })
      .optional(),
  ),
  maxImageMegabytes: setting(
    '--max-image-megabytes <MB>',
    'largest accepted image, as downloaded or decoded from its data URL',
    z.number().positive().max(1000).default(20),
  ),
  maxImagePixels: setting(
    '--max-image-pixels <count>',
    'larger images are scaled down to this many pixels (a response header says so)',
    z.int().min(1024).max(200_000_000).default(4_194_304),
  ),
  maxBodyMegabytes: setting(
    '--max-body-megabytes <MB>',
    'largest accepted request body, images included',
    z.number().positive().max(1000).default(100),
  ),
  requestMemoryMegabytes: setting(
    '--request-memory-megabytes <MB>',
    'memory for all requests that are being received, waiting or loading images; further requests ' +
      'are refused with 429',
    z.number().min(16).max(100_000).default(512),
  ),
  responseStoreMegabytes: setting(
    '--response-store-megabytes <MB>',
    'memory for stored responses, for `previous_response_id`; the oldest are dropped first, and 0 ' +
      'stores none',
    z.number().min(0).max(10_000).default(64),
  ),
  idleUnloadMinutes: setting(
    '--idle-unload <minutes>',
    'unload the model after this long without requests; the next request loads it again; never by ' +
      'default',
    z.number().positive().max(10_000).optional(),
  ),
  memoryCeilingGigabytes: setting(
    '--memory-ceiling <GB>',
    'restart the runtime, between requests, when it uses more memory than this; never by default',
    z.number().positive().max(10_000).optional(),
  ),
  hangTimeoutSeconds: setting(
    '--hang-timeout <seconds>',
    'restart the runtime when it has requests but makes no progress for this long',
    z.number().min(1).max(3600).default(120),
  ),
  loadingTimeoutSeconds: setting(
    '--loading-timeout <seconds>',
    'restart the runtime when the model has not loaded after this time, plus a second for every 25 MB ' +
      'of weights',
    z.number().min(1).max(3600).default(120),
  ),
  drainTimeoutSeconds: setting(
    '--drain-timeout <seconds>',
    'how long running requests may continue when the server stops or the model is changed, restarted ' +
      'or unloaded; after that, streams end with an error and other requests run again on the next model',
    z.number().min(0).max(3600).default(120),
  ),
  keepAliveSeconds: setting(
    '--keep-alive <seconds>',
    'how often to send an SSE comment on an idle stream, so that clients and proxies keep it open',
    z.number().positive().max(3600).default(15),
  ),
  allowedHosts: setting(
    '--allowed-hosts <list>',
    'host names that clients may use when no key is set, besides IP addresses, localhost and local ' +
      'names: comma-separated, with *.name for a domain and * for any name',
    z.preprocess(splitAtCommas, z.array(AllowedHost).max(100)).default([]),
  ),
  corsOrigins: setting(
    '--cors-origins <list>',
    'web pages that may call the server: comma-separated origins such as https://app.example, or * ' +
      'for all',
    z.preprocess(splitAtCommas, z.array(CorsOrigin).max(100)).default([]),
  ),
  logLevel: setting(
    '--log-level <level>',
    'lowest level to log: trace, debug, info, warn, error or silent',
    z.enum(['trace', 'debug', 'info', 'warn', 'error', 'silent']).default('info'),
  ),
  logFormat: setting(
    '--log-format <pretty|json>',
    'pretty for people (the default on a terminal) or json for programs',
    z.enum(['pretty', 'json']).optional(),
  ),
});
export type Settings = z.infer<typeof Settings>;
