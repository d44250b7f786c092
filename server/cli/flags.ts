import { Command, CommanderError, Option } from 'commander';
import { z } from 'zod';
import { type SettingMeta, Settings } from '../settings.ts';

/** The command line is invalid, for a reason of one line; or help was shown, with an empty message. */
export class UsageError extends Error {
  override name = 'UsageError';
  readonly exitCode: number;

  constructor(message: string, exitCode: number) {
    super(message);
    this.exitCode = exitCode;
  }
}

/** Defaults that depend on the host of the service. */
export type FlagDefaults = Partial<Settings>;

/**
 * Reads the command line (without node and script) into settings. Help goes to stdout.
 * @throws UsageError with exit code 2, or 0 once help has been shown
 */
export function parseFlags(
  args: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
  defaults: FlagDefaults,
): Settings {
  const command = new Command('sightglass')
    .description('Serves a local vision-language model through the OpenAI API.')
    .exitOverride()
    .showSuggestionAfterError(false)
    .configureOutput({ writeErr: () => {} })
    .addHelpText(
      'after',
      '\nCommands:\n' +
        '  models    find, inspect, download and check models (see sightglass models --help)\n' +
        '  doctor    check whether this machine can serve a model',
    )
    .allowExcessArguments(false);
  const names = Object.keys(Settings.shape) as (keyof Settings)[];
  addFlags(command, names, defaults);
  try {
    command.parse(args, { from: 'user' });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    if (error.exitCode === 0) throw new UsageError('', 0);
    throw new UsageError(`${error.message} (see --help)`, 2);
  }
  const apiKey = env['SIGHTGLASS_API_KEY'];
  return readFlags(command, names, { ...defaults, ...(apiKey ? { apiKey } : {}) });
}

/** Adds the flags of these settings to a command. */
export function addFlags(
  command: Command,
  names: readonly (keyof Settings)[],
  defaults: FlagDefaults,
): void {
  for (const name of names) command.addOption(toOption(Settings.shape[name], defaults[name]));
}

/** Reads the settings of a parsed command: its flags, otherwise the defaults. */
export function readFlags(
  command: Command,
  names: readonly (keyof Settings)[],
  defaults: FlagDefaults,
): Settings {
  const given = command.opts();
  return Settings.parse({
    ...defaults,
    ...Object.fromEntries(
      names.flatMap((name) => {
        const value = given[attributeOf(Settings.shape[name])];
        return value === undefined ? [] : [[name, value]];
      }),
    ),
  });
}

function toOption(schema: z.ZodType, shownDefault: unknown): Option {
  const { flag, description } = metaOf(schema);
  const option = new Option(flag, description);
  const fallback = shownDefault ?? schema.safeParse(undefined).data;
  const isNothing = fallback === undefined || fallback === false || String(fallback) === '';
  if (!isNothing) {
    option.description += ` (default: ${fallback})`;
  }
  if (option.isBoolean()) return option;
  return option.argParser((text: string) => parseValue(schema, text, flag));
}

/** Parses the value of a flag. Converts numbers from text. */
function parseValue(schema: z.ZodType, text: string, flag: string): unknown {
  const number = text.trim() === '' ? Number.NaN : Number(text);
  const parsed = schema.safeParse(isNumeric(schema) ? number : text);
  if (parsed.success) return parsed.data;
  const problem = parsed.error.issues[0]?.message ?? 'not a valid value';
  throw new CommanderError(
    2,
    'sightglass.invalidValue',
    `error: ${flag.split(' ')[0]} ${text}: ${problem.charAt(0).toLowerCase()}${problem.slice(1)}`,
  );
}

function isNumeric(schema: z.ZodType): boolean {
  let inner: unknown = schema;
  while (inner instanceof z.ZodDefault || inner instanceof z.ZodOptional) inner = inner.unwrap();
  return inner instanceof z.ZodNumber;
}

function attributeOf(schema: z.ZodType): string {
  return new Option(metaOf(schema).flag).attributeName();
}

function metaOf(schema: z.ZodType): SettingMeta {
  const meta = schema.meta();
  if (typeof meta?.['flag'] !== 'string') throw new TypeError('A setting has no flag.');
  return meta as unknown as SettingMeta;
}
