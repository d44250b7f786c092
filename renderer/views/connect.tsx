import { useState } from 'preact/hooks';
import type { Snapshot } from '../../server/contract.ts';
import { addressOf } from '../labels.ts';
import { CopyButton } from '../parts/controls.tsx';

import { toSnippets } from '../snippets.ts';

/** How to connect other programs: snippets to paste, with the actual address and key. */
export function Connect({ snapshot }: { snapshot: Snapshot }) {
  const { server, settings, model } = snapshot;
  const [name, setName] = useState('curl');
  const url = addressOf(snapshot) ?? 'http://127.0.0.1:PORT';
  const snippets = toSnippets({ url, apiKey: settings.apiKey, model: model ?? 'demo' });
  const shown = snippets.find((snippet) => snippet.name === name) ?? snippets[0];
  return (
    <section class="connect" aria-label="Connect">
      <dl class="facts">
        <Fact label="Base URL" text={`${url}/v1`} />
        <Fact label="API key" text={settings.apiKey} none="not required" isSecret />
        <Fact label="Model" text={model} none="none chosen yet" />
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

function Fact({
  label,
  text,
  none,
  isSecret,
}: {
  label: string;
  text: string | undefined;
  none?: string;
  isSecret?: boolean;
}) {
  const shown = isSecret ? '••••••••' : text;
  return (
    <div>
      <dt>{label}</dt>
      <dd>
        {text === undefined ? <span class="help">{none}</span> : <code>{shown}</code>}
        {text !== undefined && <CopyButton text={text} what={label} />}
      </dd>
    </div>
  );
}
