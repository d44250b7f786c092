import type { View } from '../server/contract.ts';
import type { Sightglass } from './sightglass.ts';
import type { TrayAction } from './tray-view.ts';

/** Does what the menu of the icon says. `open` shows the panel, at a view of it. */
export async function doTrayAction(
  action: TrayAction,
  sightglass: Sightglass,
  open: (view?: View) => Promise<void>,
): Promise<void> {
  const { handlers } = sightglass;
  switch (action.do) {
    case 'start':
      await handlers.start();
      break;
    case 'stop':
      // With requests in flight there is a choice to make, and the panel asks.
      if (sightglass.power.activity.count > 0) await open('overview');
      else await handlers.stop({ now: false });
      break;
    case 'copyUrl': {
      const { server } = sightglass.snapshot();
      if (server.phase === 'on') await handlers.copy({ text: `${server.url}/v1` });
      break;
    }
    case 'useModel':
      await handlers.changeSettings({ modelPath: action.path });
      break;
    case 'openPanel':
      await open();
      break;
    case 'openModels':
      await open('models');
      break;
    case 'openSettings':
      await open('settings');
      break;
    case 'openLogs':
      await handlers.openLogs();
      break;
    case 'copyDiagnostics':
      await sightglass.copyDiagnostics();
      break;
    case 'checkForUpdates':
      await sightglass.checkForUpdates();
      break;
    case 'quit':
      await handlers.quit();
      break;
    default:
      action satisfies never;
  }
}
