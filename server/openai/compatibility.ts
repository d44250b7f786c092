import { z } from 'zod';

/** What becomes of a parameter; `docs/openai-compatibility.md` is made of these. */
export interface Compatibility {
  /**
   * `gateway`: Sightglass honours it. `runtime`: mlx_vlm does, given it as it is. `no effect`:
   * accepted, since it asks for nothing that shows in an answer. `refused`: an error names it.
   */
  effect: 'gateway' | 'runtime' | 'no effect' | 'refused';
  note?: string;
  /** The test that shows it. */
  test: string;
}

const contract = 'test/contract/parameters.test.ts';

/** A parameter that Sightglass itself honours. Null means not given, in OpenAI's API and here. */
export function gateway<Schema extends z.ZodType>(schema: Schema, note: string, test = contract) {
  return schema.nullish().meta({ effect: 'gateway', note, test } satisfies Compatibility);
}

/** A parameter that the runtime is given as it is. */
export function runtime<Schema extends z.ZodType>(schema: Schema, note = '', test = contract) {
  return schema.nullish().meta({ effect: 'runtime', note, test } satisfies Compatibility);
}

/** A parameter that asks for nothing a local model could do otherwise. */
export function noEffect<Schema extends z.ZodType>(schema: Schema, note: string) {
  return schema
    .nullish()
    .meta({ effect: 'no effect', note, test: contract } satisfies Compatibility);
}

/** A parameter that would change the answer in a way that cannot be had here; says why. */
export function refused(why: string) {
  const schema = z.null({ error: `left out: ${why}` }).optional();
  return schema.meta({ effect: 'refused', note: why, test: contract } satisfies Compatibility);
}

/** The parameters of a request's schema that are given to the runtime as they are. */
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
