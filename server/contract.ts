import { z } from 'zod';
import { Check, Download, FoundModel, SuggestedModel } from './models/views.ts';
import { Problem } from './problem.ts';
import { Settings } from './settings.ts';

export type {
  Check,
  CheckResult,
  Download,
  Fit,
  FoundModel,
  SuggestedModel,
} from './models/views.ts';

// What the app's main process and its panel say to each other. Main parses every message with these
// schemas, in both directions; the panel and the preload import the types only.

const Milliseconds = z.number(); // since the epoch
const Count = z.int().min(0);

/** The settings a person changes in the panel: those of the service, and the app's own. */
export const AppSettings = Settings.omit({ modelType: true, logFormat: true }).extend({
  /** None until the person has chosen one. */
  modelPath: Settings.shape.modelPath.optional(),
  startServerAtLaunch: z.boolean().default(true),
  startAtLogin: z.boolean().default(false),
  /** Where models are looked for beside the places that other apps use. */
  modelFolders: z.array(z.string().min(1)).max(100).default([]),
  /** A mirror of the Hugging Face Hub; else `HF_ENDPOINT`, else the Hub itself. */
  hubEndpoint: z
    .url({ protocol: /^https?$/, error: 'an address such as https://hub.example' })
    .optional(),
});
export type AppSettings = z.infer<typeof AppSettings>;

/** What is wrong with a setting, and what would be right. */
export const SettingProblem = z.object({ setting: z.string(), message: z.string() });
export type SettingProblem = z.infer<typeof SettingProblem>;

/** A request in flight, or one that has ended. */
export const RequestView = z.object({
  id: z.string(),
  kind: z.enum(['vision', 'text']),
  /** Streaming requests do not queue. */
  stream: z.boolean(),
  /** Its address, or the fingerprint of its key. */
  client: z.string(),
  state: z.enum(['waiting', 'running', 'ended']),
  arrivedAt: Milliseconds,
  startedAt: Milliseconds.optional(),
  firstTokenAt: Milliseconds.optional(),
  endedAt: Milliseconds.optional(),
  tokens: Count,
  /** Of one that has ended: `ok`, `client_gone`, `cancelled` or the code of its error. */
  outcome: z.string().optional(),
});
export type RequestView = z.infer<typeof RequestView>;

/** How loaded the service was at a second. */
export const LoadSample = z.object({
  at: Milliseconds,
  running: Count,
  waiting: Count,
  tokensPerSecond: z.number().min(0),
});
export type LoadSample = z.infer<typeof LoadSample>;

/** A problem as the panel shows it. */
export const Trouble = Problem.omit({ reason: true }).extend({
  at: Milliseconds,
  /** If the port is in use: the next free one. */
  freePort: z.int().optional(),
});
export type Trouble = z.infer<typeof Trouble>;

/** Whether the service is on: what the large button shows and changes. */
export const ServerView = z.discriminatedUnion('phase', [
  z.object({ phase: z.literal('off') }),
  z.object({ phase: z.literal('starting') }),
  z.object({
    phase: z.literal('on'),
    /** For clients on this Mac, without `/v1`. */
    url: z.string(),
    /** For others on the network, when it is open to them. */
    networkUrl: z.string().optional(),
  }),
  /** Takes no more requests and lets those it has come to their end. */
  z.object({ phase: z.literal('draining') }),
  z.object({ phase: z.literal('failed'), trouble: Trouble }),
]);
export type ServerView = z.infer<typeof ServerView>;

/** What the model's process does. `unloaded`: stopped for want of work; the next request starts it. */
export const RuntimeView = z.discriminatedUnion('phase', [
  z.object({ phase: z.enum(['stopped', 'starting', 'loading', 'stopping', 'unloaded']) }),
  z.object({
    phase: z.literal('ready'),
    loadSeconds: z.number(),
    memoryBytes: z.number(),
  }),
  z.object({ phase: z.literal('crashed'), trouble: Trouble }),
  z.object({ phase: z.literal('failed'), trouble: Trouble }),
]);
export type RuntimeView = z.infer<typeof RuntimeView>;

/** A folder in which models are looked for. */
export const ModelPlace = z.object({ name: z.string(), folder: z.string(), exists: z.boolean() });
export type ModelPlace = z.infer<typeof ModelPlace>;

/** An update of the app, from the check until it is ready to be installed at quit. */
export const UpdateView = z.discriminatedUnion('phase', [
  z.object({ phase: z.literal('checking') }),
  z.object({
    phase: z.literal('downloading'),
    version: z.string(),
    percent: z.int().min(0).max(100),
  }),
  /** Downloaded; macOS verifies and unpacks it. */
  z.object({ phase: z.literal('preparing'), version: z.string() }),
  z.object({ phase: z.literal('ready'), version: z.string() }),
]);
export type UpdateView = z.infer<typeof UpdateView>;

/** Everything the panel shows, at one instant. */
export const Snapshot = z.object({
  at: Milliseconds,
  server: ServerView,
  runtime: RuntimeView,
  /** The model's short name; none before one was chosen. */
  model: z.string().optional(),
  load: z.object({
    /** Queued requests and streams that run. */
    running: Count,
    /** Requests in line. */
    waiting: Count,
    streams: Count,
    tokensPerSecond: z.number().min(0),
    maxConcurrency: Count,
    queueSize: Count,
  }),
  /** The first of those in flight: running ones, then the line. */
  active: z.array(RequestView),
  /** In flight beside those listed. */
  unlisted: Count,
  /** Those that ended last, the newest first. */
  recent: z.array(RequestView),
  /** Programs whose requests were refused because they have no image, the latest last. */
  textOnlyClients: z
    .array(z.object({ client: z.string(), count: Count, lastAt: Milliseconds }))
    .optional(),
  /** The latest failure since the person last put it away. */
  trouble: Trouble.optional(),
  settings: AppSettings,
  /** The models chosen lately, the latest first. */
  recentModels: z.array(z.string()),
  /** Models on their way here, the first begun first. */
  downloads: z.array(Download),
  /** Of the served model, since it was loaded. */
  check: Check.optional(),
  /** Whether a Hugging Face token is in the keychain. The token itself is not told. */
  hasHubToken: z.boolean(),
  /** Secrets that are stored but that the keychain would not decrypt. */
  lockedSecrets: z.array(z.enum(['apiKey', 'hubToken'])).optional(),
  update: UpdateView.optional(),
});
export type Snapshot = z.infer<typeof Snapshot>;

export const LogLine = z.object({
  /** Grows by one a line. */
  number: Count,
  at: Milliseconds,
  level: z.enum(['trace', 'debug', 'info', 'warn', 'error', 'fatal']),
  /** The message and its fields, on one line. */
  text: z.string(),
});
export type LogLine = z.infer<typeof LogLine>;

/** What becomes of a change of settings: when it holds, or why it was not made. */
export const SettingsChange = z.discriminatedUnion('applied', [
  z.object({ applied: z.enum(['now', 'server_restarted', 'model_reloading']) }),
  z.object({ applied: z.literal('no'), problems: z.array(SettingProblem).min(1) }),
]);
export type SettingsChange = z.infer<typeof SettingsChange>;

const nothing = z.void();
const command = <Input extends z.ZodType, Output extends z.ZodType>(
  input: Input,
  output: Output,
) => ({ input, output });

/** What the panel may ask of main, and what it is answered. */
export const commands = {
  snapshot: command(nothing, Snapshot),
  /** The load of the last minutes, one sample a second of work, the oldest first. */
  history: command(nothing, z.array(LoadSample)),
  start: command(nothing, nothing),
  /** Lets what runs and waits come to its end; `now` cancels it. */
  stop: command(z.object({ now: z.boolean() }), nothing),
  /** Whether there was such a request. */
  cancel: command(z.object({ id: z.string() }), z.boolean()),
  dismissTrouble: command(nothing, nothing),
  changeSettings: command(z.record(z.string(), z.unknown()), SettingsChange),
  /** Opens the system's dialog. Undefined when the person chose nothing. */
  chooseModelFolder: command(nothing, z.string().optional()),
  findModels: command(nothing, z.array(FoundModel)),
  /** Where `findModels` looks. */
  modelPlaces: command(nothing, z.array(ModelPlace)),
  /** Good models to download, the smallest first. */
  suggestModels: command(nothing, z.array(SuggestedModel)),
  /** Begins a download, or goes on with it; `use` serves the model once it is here. */
  download: command(z.object({ id: z.string().trim().min(1), use: z.boolean() }), nothing),
  pauseDownload: command(z.object({ id: z.string() }), nothing),
  /** Removes what has come of it. */
  cancelDownload: command(z.object({ id: z.string() }), nothing),
  /** Into the keychain; without a token, out of it. */
  setHubToken: command(z.object({ token: z.string().trim().min(1).optional() }), nothing),
  /** Asks the keychain again for the locked secrets. */
  unlockSecrets: command(nothing, nothing),
  /** Asks the served model about pictures, alone and together; the snapshot tells how far it is. */
  checkModel: command(nothing, nothing),
  stopCheck: command(nothing, nothing),
  /** The path of the demo model that comes with the app. */
  demoModel: command(nothing, z.string()),
  /** Asks the model through the service, as any client would. The answer comes as events. */
  ask: command(z.object({ question: z.string().min(1), image: z.string() }), z.string()),
  stopAsking: command(z.object({ id: z.string() }), nothing),
  copy: command(z.object({ text: z.string().max(100_000) }), nothing),
  openLogs: command(nothing, nothing),
  /** The latest lines; from then on new ones come as events until `unwatchLog`. */
  watchLog: command(nothing, z.array(LogLine)),
  unwatchLog: command(nothing, nothing),
  /** Whether the panel stays when another app gets the focus, as for a drag from Finder. */
  keepOpen: command(z.object({ keep: z.boolean() }), nothing),
  hide: command(nothing, nothing),
  quit: command(nothing, nothing),
} as const;
export type CommandName = keyof typeof commands;
export type CommandInput<Name extends CommandName> = z.input<(typeof commands)[Name]['input']>;
export type CommandOutput<Name extends CommandName> = z.output<(typeof commands)[Name]['output']>;

/** A command's answer as it crosses: an error is told in words, whatever it was. */
export type Reply<Name extends CommandName> =
  | { ok: true; value: CommandOutput<Name> }
  | { ok: false; message: string };

/** A view of the panel that main can have opened. */
export const View = z.enum(['overview', 'models', 'try', 'connect', 'logs', 'settings']);
export type View = z.infer<typeof View>;

/** What main tells the panel by itself. */
export const events = {
  snapshot: Snapshot,
  log: z.array(LogLine),
  /** A piece of the answer to `ask`, or its end. */
  answer: z.discriminatedUnion('kind', [
    z.object({ kind: z.literal('text'), id: z.string(), text: z.string() }),
    z.object({ kind: z.literal('end'), id: z.string(), tokens: Count, seconds: z.number() }),
    z.object({ kind: z.literal('error'), id: z.string(), message: z.string() }),
  ]),
  open: View,
} as const;
export type EventName = keyof typeof events;
export type EventPayload<Name extends EventName> = z.output<(typeof events)[Name]>;

/** What the preload gives the panel as `window.sightglass`. */
export interface Bridge {
  call<Name extends CommandName>(name: Name, input: CommandInput<Name>): Promise<Reply<Name>>;
  /** Returns the unsubscribe. */
  on<Name extends EventName>(
    name: Name,
    listener: (payload: EventPayload<Name>) => void,
  ): () => void;
}
