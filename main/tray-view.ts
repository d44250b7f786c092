import type { Snapshot, UpdateView } from '../server/contract.ts';
import { modelIdOf } from '../server/http/models.ts';

/** The shape of the menu bar icon. */
export type TrayIcon = 'stopped' | 'loading' | 'ready' | 'busy' | 'failed';

/** The actions of the icon's menu. */
export type TrayAction =
  | {
      do:
        | 'start'
        | 'stop'
        | 'copyUrl'
        | 'openModels'
        | 'openSettings'
        | 'openLogs'
        | 'openPanel'
        | 'copyDiagnostics'
        | 'checkForUpdates'
        | 'quit';
    }
  | { do: 'useModel'; path: string };

export interface TrayMenuItem {
  label: string;
  action?: TrayAction;
  enabled?: boolean;
  checked?: boolean;
  submenu?: TrayMenuItem[];
  isSeparator?: boolean;
}

export interface TrayView {
  icon: TrayIcon;
  /** Shown beside the icon: the number of waiting requests. */
  title: string;
  tooltip: string;
}

/** Converts a snapshot to the icon, title and tooltip in the menu bar. */
export function toTrayView({ server, runtime, load, model }: Snapshot): TrayView {
  const { running, waiting } = load;
  const name = model ?? 'no model';
  if (server.phase === 'failed') return view('failed', server.trouble.message);
  if (runtime.phase === 'failed') return view('failed', runtime.trouble.message);
  if (server.phase === 'off') return view('stopped', 'stopped');
  if (server.phase === 'draining') return view('loading', 'finishing requests, then stopping');
  switch (runtime.phase) {
    case 'ready':
      if (running === 0 && waiting === 0) return view('ready', `${name} is ready`);
      return {
        icon: 'busy',
        title: waiting > 0 ? String(waiting) : '',
        tooltip: `Sightglass: ${name}, ${running} running, ${waiting} waiting`,
      };
    case 'unloaded':
      return view('ready', `ready, ${name} loads with the next request`);
    case 'crashed':
      return view('loading', 'restarting the model');
    default:
      return view('loading', `loading ${name}`);
  }
}

function view(icon: TrayIcon, text: string): TrayView {
  return { icon, title: '', tooltip: `Sightglass: ${text}` };
}

const separator: TrayMenuItem = { label: '', isSeparator: true };

/** The menu that a right click opens. */
export function toTrayMenu(snapshot: Snapshot): TrayMenuItem[] {
  const { server, settings, recentModels, update } = snapshot;
  const isOff = server.phase === 'off' || server.phase === 'failed';
  const models = recentModels.map((path) => ({
    label: modelIdOf(path),
    checked: path === settings.modelPath,
    action: { do: 'useModel' as const, path },
  }));
  return [
    { label: toTrayView(snapshot).tooltip.replace('Sightglass: ', ''), enabled: false },
    separator,
    isOff
      ? { label: 'Start', action: { do: 'start' } }
      : { label: 'Stop', action: { do: 'stop' }, enabled: server.phase === 'on' },
    { label: 'Copy URL', action: { do: 'copyUrl' }, enabled: server.phase === 'on' },
    { label: 'Models…', action: { do: 'openModels' } },
    { label: 'Recent Models', enabled: models.length > 0, submenu: models },
    separator,
    { label: 'Open Sightglass', action: { do: 'openPanel' } },
    { label: 'Settings…', action: { do: 'openSettings' } },
    { label: 'Open Logs', action: { do: 'openLogs' } },
    { label: 'Copy Diagnostics', action: { do: 'copyDiagnostics' } },
    toUpdateItem(update),
    separator,
    { label: 'Quit Sightglass', action: { do: 'quit' } },
  ];
}

/** Shows the update in progress, or offers to check for one. */
function toUpdateItem(update: UpdateView | undefined): TrayMenuItem {
  switch (update?.phase) {
    case undefined:
      return { label: 'Check for Updates…', action: { do: 'checkForUpdates' } };
    case 'checking':
      return { label: 'Checking for Updates…', enabled: false };
    case 'downloading':
      return { label: `Downloading ${update.version}: ${update.percent}%`, enabled: false };
    case 'preparing':
      return { label: `Preparing ${update.version}…`, enabled: false };
    case 'ready':
      return { label: `Quit and Install ${update.version}`, action: { do: 'quit' } };
  }
}
