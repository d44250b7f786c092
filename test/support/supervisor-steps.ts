import fc from 'fast-check';
import { MODELS } from './fake-process.ts';

export const DRAIN_MS = 20_000;
export const LOADING_MS = 30_000;

/** One step of a sequence. `index` picks one of the pending jobs. */
export type Step =
  | { do: 'start' | 'stop' | 'unload' | 'restart' | 'shutdown' }
  | { do: 'load'; model: string }
  | { do: 'ask' | 'work' | 'work alone' }
  | { do: 'finish work' | 'abandon'; index: number }
  /** What the process does: print its next line, report ready out of turn, die, or exit if asked to. */
  | { do: 'go on' | 'say ready' | 'die' | 'obey' }
  | { do: 'pass'; ms: number };

/** The steps that sequences are generated from, by their frequency. */
export const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 15, arbitrary: fc.constant<Step>({ do: 'start' }) },
  {
    weight: 5,
    arbitrary: fc.constantFrom<Step>({ do: 'stop' }, { do: 'unload' }, { do: 'restart' }),
  },
  {
    weight: 15,
    arbitrary: fc.record({ do: fc.constant('load' as const), model: fc.constantFrom(...MODELS) }),
  },
  {
    weight: 25,
    arbitrary: fc.record({ do: fc.constantFrom('ask', 'work', 'work', 'work alone') }),
  },
  {
    weight: 20,
    arbitrary: fc.record({
      do: fc.constantFrom('finish work', 'finish work', 'abandon'),
      index: fc.nat({ max: 9 }),
    }),
  },
  {
    weight: 50,
    arbitrary: fc.record({
      do: fc.constantFrom('go on', 'go on', 'go on', 'obey', 'obey', 'die', 'say ready'),
    }),
  },
  {
    weight: 20,
    arbitrary: fc.record({
      do: fc.constant('pass' as const),
      ms: fc.constantFrom(0, 1, 1000, 10_000, DRAIN_MS, LOADING_MS, 301_000),
    }),
  },
  { weight: 1, arbitrary: fc.constant<Step>({ do: 'shutdown' }) },
) as fc.Arbitrary<Step>;
