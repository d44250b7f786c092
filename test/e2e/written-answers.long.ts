import { testWrittenAnswers } from './written-answers.ts';

const sendsAll = process.env['SIGHTGLASS_ALL_ANSWERS'] === '1'; // npm run test:answers
testWrittenAnswers(
  sendsAll
    ? {
        samples: undefined,
        every: 1,
        cuts: Array.from({ length: 15 }, (_, at) => 4 * at + 3),
        everyApi: true,
        turns: 125,
      }
    : { samples: 1, every: 1, cuts: [19], everyApi: true, turns: 10 },
);
