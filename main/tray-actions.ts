import type { View } from '../server/contract.ts';
import type { Sightglass } from './sightglass.ts';
import type { TrayAction } from './tray-view.ts';

/** What the menu of the icon does. `open` shows the panel, at a view of it. */
export function createTrayActions(
  sightglass: Sightglass,
  open: (view?: View) => Promise<void>,
): (action: TrayAction) => void {
  const { handlers } = sightglass;
  return (action) => {
    switch (action.do) {
      case 'start':
        return void handlers.start();
      case 'stop':
        // With requests running there is a choice to make, and the panel asks.
        if (sightglass.power.activity.count > 0) return void open('overview');
        return void handlers.stop({ now: false });
      case 'copyUrl': {
        const { server } = sightglass.snapshot();
        return server.phase === 'on' ? void handlers.copy({ text: `${server.url}/v1` }) : undefined;
      }
      case 'useModel':
        return void handlers.changeSettings({ modelPath: action.path });
      case 'openPanel':
        return void open();
      case 'openSettings':
        return void open('settings');
      case 'openLogs':
        return void handlers.openLogs();
      case 'quit':
        return void handlers.quit();
      default:
        return action satisfies never;
    }
  };
}
