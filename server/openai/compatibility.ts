import { z } from 'zod';

/**
 * What happens to a parameter; `docs/openai-compatibility.md` is generated from these. The first
 * three are honoured, the fourth is ignored and reported, the last is refused by name.
 */
export interface Compatibility {
  /**
   * `gateway`: Sightglass honours it. `runtime`: mlx_vlm does, and gets it unchanged. `no effect`:
   * accepted, because it cannot change an answer here. `ignored`: it cannot
   * be honoured, and is reported to the client. `refused`: the request fails, and the error names it.
   */
  effect: 'gateway' | 'runtime' | 'no effect' | 'ignored' | 'refused';
  note?: string;
  /** The file that tests it. */
  test: string;
}

const contract = 'test/contract/parameters.test.ts';
/** Where the table of other servers' parameters is tested. */
const others = 'test/contract/other-servers.test.ts';

/** A parameter that Sightglass itself honours. Null means not given, in OpenAI's API and here. */
export function gateway<Schema extends z.ZodType>(schema: Schema, note: string, test = contract) {
  return schema.nullish().meta({ effect: 'gateway', note, test } satisfies Compatibility);
}

/** A parameter that the runtime gets unchanged. */
export function runtime<Schema extends z.ZodType>(schema: Schema, note = '', test = contract) {
  return schema.nullish().meta({ effect: 'runtime', note, test } satisfies Compatibility);
}

/** A parameter of the API itself that makes no difference for a local model. */
export function noEffect<Schema extends z.ZodType>(schema: Schema, note: string) {
  return schema
    .nullish()
    .meta({ effect: 'no effect', note, test: contract } satisfies Compatibility);
}

/**
 * A parameter that is ignored whatever its value, and reported. `unless` are values that ask for
 * what happens anyway: those are not worth a report.
 */
export function ignored(note: string, unless?: z.ZodType) {
  const schema = unless === undefined ? dropped : z.union([unless, dropped]);
  return schema.nullish().meta({ effect: 'ignored', note, test: others } satisfies Compatibility);
}

/** Accepts any value and drops it, which is how `findIgnored` knows that it was ignored. */
export const dropped = z.unknown().transform(() => undefined);

/** A field of the API that clients repeat from our own answers: accepted, and not kept. */
export const repeated = z
  .unknown()
  .transform(() => null)
  .optional();

/**
 * A parameter that would change the answer in an unsupported way; `why` goes into the error. Values
 * for which `unless` holds ask for nothing and are accepted.
 */
export function refused(
  why: string,
  {
    unless = () => false,
    ignores = () => false,
    test = contract,
  }: {
    unless?: (value: unknown) => boolean;
    /** Values that cannot be honoured either, but without which the answer is the same. */
    ignores?: (value: unknown) => boolean;
    test?: string;
  } = {},
) {
  const isAccepted = (value: unknown) => value === null || unless(value) || ignores(value);
  const schema = z
    .custom<unknown>(isAccepted, { error: `left out: ${why}` })
    .transform((value) => (ignores(value) ? undefined : value))
    .optional();
  return schema.meta({ effect: 'refused', note: why, test } satisfies Compatibility);
}

/** As `refused`, of other servers' parameters. */
export function refusedOfOthers(why: string, unless?: (value: unknown) => boolean) {
  return refused(why, { test: others, ...(unless === undefined ? {} : { unless }) });
}

/** As `gateway`, of other servers' parameters. */
export function spelling<Schema extends z.ZodType>(schema: Schema, note: string) {
  return gateway(schema, note, others);
}

/** The parameters of a request's schema that the runtime gets unchanged. */
export function runtimeParameters(schema: z.ZodObject): readonly string[] {
  return Object.entries(schema.shape)
    .filter(([, parameter]) => (parameter as z.ZodType).meta()?.['effect'] === 'runtime')
    .map(([name]) => name);
}

/** Those of `names` that `request` gives. */
export function pick(request: object, names: readonly string[]): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(request).filter(([name, value]) => names.includes(name) && value != null),
  );
}
