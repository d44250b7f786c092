import { useState } from 'preact/hooks';
import { call, run } from '../bridge.ts';
import { ModelChoice } from '../parts/model-choice.tsx';

/** The first start: there is one decision to make, and a way to put it off. */
export function Welcome() {
  const [problem, setProblem] = useState('');
  const use = async (modelPath: string) => {
    const change = await call('changeSettings', { modelPath });
    if (change.applied === 'no')
      setProblem(change.problems.map(({ message }) => message).join(' '));
    else await call('start');
  };
  return (
    <section class="welcome" aria-label="Choose a model">
      <h2>Which model should answer?</h2>
      <p>
        Sightglass serves one vision-language model to every app on this Mac. Nothing you show it
        leaves this Mac.
      </p>
      <button type="button" class="primary wide" onClick={() => run(call('demoModel').then(use))}>
        Try the Demo Model
      </button>
      <p class="help">
        Tiny and built in: it knows drawn shapes, their colours and printed numbers. Good for a
        first request.
      </p>
      <ModelChoice onChoose={(path) => run(use(path))} />
      {problem !== '' && (
        <p class="problem" role="alert">
          {problem}
        </p>
      )}
    </section>
  );
}
