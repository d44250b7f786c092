import { testWrittenAnswers } from './written-answers.ts';

testWrittenAnswers({ samples: 1, every: 3, cuts: [19], everyApi: false, turns: 2 });
