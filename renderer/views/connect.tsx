import { useState } from 'preact/hooks';
import type { Snapshot } from '../../server/contract.ts';
import { CopyButton } from '../parts/copy-button.tsx';
import { toSnippets } from '../snippets.ts';

/** How other programs are pointed here: ready to paste, with the real address and key. */
export function Connect({ snapshot: { server, settings, model } }: { snapshot: Snapshot }) {
  const [name, setName] = useState('curl');
  const url = server.phase === 'on' ? server.url : `http://localhost:${settings.port}`;
  const snippets = toSnippets({ url, apiKey: settings.apiKey, model: model ?? 'demo' });
  const shown = snippets.find((snippet) => snippet.name === name) ?? snippets[0];
  return (
    <section class="connect" aria-label="Connect">
      <dl class="facts">
        <Fact label="Base URL" text={`${url}/v1`} />
        <Fact
          label="API key"
          text={settings.apiKey ?? 'any will do'}
          isSecret={settings.apiKey !== undefined}
        />
        <Fact label="Model" text={model ?? 'none chosen yet'} />
        {server.phase === 'on' && server.networkUrl !== undefined && (
          <Fact label="On your network" text={`${server.networkUrl}/v1`} />
        )}
      </dl>
      <label class="row">
        <span>For</span>
        <select value={name} onChange={(event) => setName(event.currentTarget.value)}>
          {snippets.map((snippet) => (
            <option key={snippet.name}>{snippet.name}</option>
          ))}
        </select>
      </label>
      {shown !== undefined && (
        <div class="snippet">
          <div class="row">
            <p class="help grow">{shown.hint}</p>
            <CopyButton text={shown.text} what={`the ${shown.name} snippet`} />
          </div>
          {/* biome-ignore lint/a11y/noNoninteractiveTabindex: it scrolls, so the keyboard must reach it */}
          <pre tabIndex={0}>{shown.text}</pre>
        </div>
      )}
    </section>
  );
}

function Fact({ label, text, isSecret }: { label: string; text: string; isSecret?: boolean }) {
  return (
    <div>
      <dt>{label}</dt>
      <dd>
        <code>{isSecret ? '••••••••' : text}</code>
        <CopyButton text={text} what={label} />
      </dd>
    </div>
  );
}
