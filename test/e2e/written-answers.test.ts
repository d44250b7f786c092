import { testWrittenAnswers } from './written-answers.ts';

testWrittenAnswers({ samples: 1, cuts: [19], everyApi: false, turns: 2 });
