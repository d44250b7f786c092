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

// The messages between the app's main process and its panel. Main parses them with these schemas in
// both directions; the panel and the preload import only the types.

const Milliseconds = z.number(); // since the epoch
const Count = z.int().min(0);

/** The settings in the panel: those of the service, and the app's own. */
export const AppSettings = Settings.omit({ modelType: true, logFormat: true }).extend({
  /** Undefined until the user has chosen a model. */
  modelPath: Settings.shape.modelPath.optional(),
  startServerAtLaunch: z.boolean().default(true),
  startAtLogin: z.boolean().default(false),
  /** Folders to search for models, besides those of other apps. */
  modelFolders: z.array(z.string().min(1)).max(100).default([]),
  /** A mirror of the Hugging Face Hub. Defaults to `HF_ENDPOINT`, then to the Hub itself. */
  hubEndpoint: z
    .url({ protocol: /^https?$/, error: 'an address such as https://hub.example' })
    .optional(),
});
export type AppSettings = z.infer<typeof AppSettings>;

/** Why a setting is invalid; the message says what is expected. */
export const SettingProblem = z.object({ setting: z.string(), message: z.string() });
export type SettingProblem = z.infer<typeof SettingProblem>;

/** A request in flight, or one that has ended. */
export const RequestView = z.object({
  id: z.string(),
  kind: z.enum(['vision', 'text']),
  /** Streaming requests do not queue. */
  stream: z.boolean(),
  /** The client's address, or the fingerprint of its key. */
  client: z.string(),
  state: z.enum(['waiting', 'running', 'ended']),
  arrivedAt: Milliseconds,
  startedAt: Milliseconds.optional(),
  firstTokenAt: Milliseconds.optional(),
  endedAt: Milliseconds.optional(),
  tokens: Count,
  /** Once it has ended: `ok`, `client_gone`, `cancelled` or an error code. */
  outcome: z.string().optional(),
});
export type RequestView = z.infer<typeof RequestView>;

/** The load of the service in one second. */
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

/** Whether the server is on, for the panel's main button. */
export const ServerView = z.discriminatedUnion('phase', [
  z.object({ phase: z.literal('off') }),
  z.object({ phase: z.literal('starting') }),
  z.object({
    phase: z.literal('on'),
    /** For clients on this Mac; without `/v1`. */
    url: z.string(),
    /** For clients on the network, if the server accepts them. */
    networkUrl: z.string().optional(),
  }),
  /** Accepts no more requests and waits for the rest to complete. */
  z.object({ phase: z.literal('draining') }),
  z.object({ phase: z.literal('failed'), trouble: Trouble }),
]);
export type ServerView = z.infer<typeof ServerView>;

/** The state of the model's process. `unloaded`: stopped while idle; the next request starts it. */
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

/** A folder that is searched for models. */
export const ModelPlace = z.object({ name: z.string(), folder: z.string(), exists: z.boolean() });
export type ModelPlace = z.infer<typeof ModelPlace>;

/** An update of the app, from the check until it is ready to install on quit. */
export const UpdateView = z.discriminatedUnion('phase', [
  z.object({ phase: z.literal('checking') }),
  z.object({
    phase: z.literal('downloading'),
    version: z.string(),
    percent: z.int().min(0).max(100),
  }),
  /** Downloaded; macOS is verifying and unpacking it. */
  z.object({ phase: z.literal('preparing'), version: z.string() }),
  z.object({ phase: z.literal('ready'), version: z.string() }),
]);
export type UpdateView = z.infer<typeof UpdateView>;

/** Everything that the panel shows, at one point in time. */
export const Snapshot = z.object({
  at: Milliseconds,
  server: ServerView,
  runtime: RuntimeView,
  /** The model's short name. Undefined until one has been chosen. */
  model: z.string().optional(),
  load: z.object({
    /** Running requests, both queued and streaming. */
    running: Count,
    /** Waiting requests. */
    waiting: Count,
    streams: Count,
    tokensPerSecond: z.number().min(0),
    maxConcurrency: Count,
    queueSize: Count,
  }),
  /** The first requests in flight: running ones, then waiting ones. */
  active: z.array(RequestView),
  /** Number of requests in flight that are not in `active`. */
  unlisted: Count,
  /** The last requests that ended, newest first. */
  recent: z.array(RequestView),
  /** Clients whose requests were refused because they contained no image, most recent last. */
  textOnlyClients: z
    .array(z.object({ client: z.string(), count: Count, lastAt: Milliseconds }))
    .optional(),
  /** The latest problem, until the user dismisses it. */
  trouble: Trouble.optional(),
  settings: AppSettings,
  /** Recently chosen models, most recent first. */
  recentModels: z.array(z.string()),
  /** Downloads in the order in which they were started. */
  downloads: z.array(Download),
  /** The check of the served model, if there was one since it was loaded. */
  check: Check.optional(),
  /** Whether the keychain has a Hugging Face token. The token itself stays in main. */
  hasHubToken: z.boolean(),
  /** Stored secrets that the keychain refused to decrypt. */
  lockedSecrets: z.array(z.enum(['apiKey', 'hubToken'])).optional(),
  update: UpdateView.optional(),
});
export type Snapshot = z.infer<typeof Snapshot>;

export const LogLine = z.object({
  /** Increases by one with each line. */
  number: Count,
  at: Milliseconds,
  level: z.enum(['trace', 'debug', 'info', 'warn', 'error', 'fatal']),
  /** The message and its fields, on one line. */
  text: z.string(),
});
export type LogLine = z.infer<typeof LogLine>;

/** The result of changing settings: when the change takes effect, or why it was rejected. */
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

/** The panel's commands to main, and their results. */
export const commands = {
  snapshot: command(nothing, Snapshot),
  /** The load of the last minutes, oldest first: one sample for each second with requests. */
  history: command(nothing, z.array(LoadSample)),
  start: command(nothing, nothing),
  /** Waits for running and waiting requests to complete; `now` cancels them. */
  stop: command(z.object({ now: z.boolean() }), nothing),
  /** Resolves with whether there is a request with this id. */
  cancel: command(z.object({ id: z.string() }), z.boolean()),
  dismissTrouble: command(nothing, nothing),
  changeSettings: command(z.record(z.string(), z.unknown()), SettingsChange),
  /** Opens the system dialog. Resolves with undefined if the user cancelled. */
  chooseModelFolder: command(nothing, z.string().optional()),
  findModels: command(nothing, z.array(FoundModel)),
  /** The folders that `findModels` searches. */
  modelPlaces: command(nothing, z.array(ModelPlace)),
  /** Recommended models to download, smallest first. */
  suggestModels: command(nothing, z.array(SuggestedModel)),
  /** Starts or continues a download; `use` serves the model once it is complete. */
  download: command(z.object({ id: z.string().trim().min(1), use: z.boolean() }), nothing),
  pauseDownload: command(z.object({ id: z.string() }), nothing),
  /** Removes what has been downloaded so far. */
  cancelDownload: command(z.object({ id: z.string() }), nothing),
  /** Stores the token in the keychain, or removes it if none is given. */
  setHubToken: command(z.object({ token: z.string().trim().min(1).optional() }), nothing),
  /** Asks the keychain for the locked secrets again. */
  unlockSecrets: command(nothing, nothing),
  /** Starts a check of the served model. The snapshot shows its progress. */
  checkModel: command(nothing, nothing),
  stopCheck: command(nothing, nothing),
  /** The path of the bundled demo model. */
  demoModel: command(nothing, z.string()),
  /** Asks the model through the server, like any client. The answer arrives as `answer` events. */
  ask: command(z.object({ question: z.string().min(1), image: z.string() }), z.string()),
  stopAsking: command(z.object({ id: z.string() }), nothing),
  copy: command(z.object({ text: z.string().max(100_000) }), nothing),
  openLogs: command(nothing, nothing),
  /** Returns the latest lines; new ones arrive as `log` events until `unwatchLog`. */
  watchLog: command(nothing, z.array(LogLine)),
  unwatchLog: command(nothing, nothing),
  /** Whether the panel stays open when another app gets the focus, for example to drag from Finder. */
  keepOpen: command(z.object({ keep: z.boolean() }), nothing),
  hide: command(nothing, nothing),
  quit: command(nothing, nothing),
} as const;
export type CommandName = keyof typeof commands;
export type CommandInput<Name extends CommandName> = z.input<(typeof commands)[Name]['input']>;
export type CommandOutput<Name extends CommandName> = z.output<(typeof commands)[Name]['output']>;

/** The reply to a command. An error crosses as its message only. */
export type Reply<Name extends CommandName> =
  | { ok: true; value: CommandOutput<Name> }
  | { ok: false; message: string };

/** A view of the panel that main can open. */
export const View = z.enum(['overview', 'models', 'try', 'connect', 'logs', 'settings']);
export type View = z.infer<typeof View>;

/** Events that main sends to the panel. */
export const events = {
  snapshot: Snapshot,
  log: z.array(LogLine),
  /** Part of the answer to `ask`, or its end. */
  answer: z.discriminatedUnion('kind', [
    z.object({ kind: z.literal('text'), id: z.string(), text: z.string() }),
    z.object({ kind: z.literal('end'), id: z.string(), tokens: Count, seconds: z.number() }),
    z.object({ kind: z.literal('error'), id: z.string(), message: z.string() }),
  ]),
  open: View,
} as const;
export type EventName = keyof typeof events;
export type EventPayload<Name extends EventName> = z.output<(typeof events)[Name]>;

/** What the preload exposes to the panel as `window.sightglass`. */
export interface Bridge {
  call<Name extends CommandName>(name: Name, input: CommandInput<Name>): Promise<Reply<Name>>;
  /** Returns the unsubscribe. */
  on<Name extends EventName>(
    name: Name,
    listener: (payload: EventPayload<Name>) => void,
  ): () => void;
}
