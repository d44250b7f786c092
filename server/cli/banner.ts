import { isLoopback } from '../http/guards.ts';
import { modelIdOf } from '../http/models.ts';
import { reachableUrl } from '../http/server.ts';
import type { Settings } from '../settings.ts';

/** What the terminal shows once the service is ready: its URL, a request to try, and the log file. */
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

/** The warning if others on the network can use the model without a key. */
export function exposureWarning({ host, apiKey }: Settings): string | undefined {
  if (isLoopback(host) || apiKey !== undefined) return undefined;
  return (
    `Listening on ${host} without an API key: anyone on this network can use the model. ` +
    'Use --host 127.0.0.1 to stay on this machine, or set SIGHTGLASS_API_KEY.'
  );
}

/** A red circle on white, 64 by 64, small enough for a command line. */
const RED_CIRCLE_PNG =
  'iVBORw0KGgoAAAANSUhEUgAAAEAAAABAAQMAAACQp+OdAAAABlBMVEX/////AADrWueTAAAACXBIWXMAAAsTAAALEwEAmpwYAAAAZ0lEQVQoz2NgGCDA/wHKqP8HoRn//28AM9j//38AUfL/P0SR/P//P8AM+////0A0/f8P0fYfCFAYjCBGAzKDGcQ4gJXBDmI8oJyBxwpM92C6GeEduAfhXoYHAjxY4AEFDzpEYNIdAAB2mY7DK3+25wAAAABJRU5ErkJggg==';

/** A curl command that can be pasted into a shell on this machine. */
function exampleRequest({ url, apiKey }: { url: string; apiKey?: string | undefined }) {
  const body = {
    messages: [
      {
        role: 'user',
        content: [
          { type: 'text', text: 'What is in this image?' },
          { type: 'image_url', image_url: { url: `data:image/png;base64,${RED_CIRCLE_PNG}` } },
        ],
      },
    ],
  };
  const key = apiKey === undefined ? '' : ` -H "Authorization: Bearer $SIGHTGLASS_API_KEY"`;
  return `curl ${url}/v1/chat/completions -H "Content-Type: application/json"${key} -d '${JSON.stringify(body)}'`;
}
