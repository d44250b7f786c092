import type { FoundModel } from '../../server/contract.ts';
import { toFacts } from '../model-words.ts';

/** What was found and cannot be served: why, and what to do. */
export function UnusableModels({ models }: { models: readonly FoundModel[] }) {
  if (models.length === 0) return null;
  return (
    <details class="unusable">
      <summary>
        <h3>Cannot be used ({models.length})</h3>
      </summary>
      <ul class="models">
        {models.map((model) => (
          <li key={model.path} class="unusable-row">
            <p class="model-name" title={model.path}>
              {model.name}
            </p>
            <p class="model-facts">{toFacts(model)}</p>
            <p class="problem">{model.problem?.message}</p>
            <p class="help">{model.problem?.remedy}</p>
          </li>
        ))}
      </ul>
    </details>
  );
}
