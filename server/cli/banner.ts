import { isLoopback } from '../http/foreign-host.ts';
import { modelIdOf } from '../http/model-id.ts';
import { reachableUrl } from '../http/reachable-url.ts';
import type { Settings } from '../settings.ts';
import { exampleRequest } from './example-request.ts';

/** What a person reads once the service answers: where it is, a request to paste, the logs. */
export function banner(settings: Settings, port: number, logFile: string): string {
  const url = reachableUrl(settings.host, port);
  return [
    '',
    `Sightglass serves ${modelIdOf(settings.modelPath)} on ${url}/v1`,
    '',
    'Try it:',
    `  ${exampleRequest({ url, apiKey: settings.apiKey })}`,
    '',
    `Logs: ${logFile}`,
    '',
  ].join('\n');
}

/** Said when others on the network can use the model, and there is no key; else nothing. */
export function exposureWarning({ host, apiKey }: Settings): string | undefined {
  if (isLoopback(host) || apiKey !== undefined) return undefined;
  return (
    `Listening on ${host} without an API key: everybody on this network can use the model. ` +
    'Use --host 127.0.0.1 to stay on this machine, or set SIGHTGLASS_API_KEY.'
  );
}
