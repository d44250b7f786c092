import { join } from 'node:path';
import { Menu, type MenuItemConstructorOptions, nativeImage, Tray } from 'electron';
import type { Snapshot, View } from '../server/contract.ts';
import type { Rectangle } from './panel.ts';
import type { Sightglass } from './sightglass.ts';
import {
  type TrayAction,
  type TrayIcon,
  type TrayMenuItem,
  toTrayMenu,
  toTrayView,
} from './tray-view.ts';

export interface TrayOptions {
  /** Contains `stoppedTemplate.png`, `stoppedTemplate@2x.png` and so on. */
  iconFolder: string;
  snapshot: () => Snapshot;
  isPanelOpen: () => boolean;
  /** `wasOpen` is whether the panel was open when the mouse button went down. */
  onClick: (wasOpen: boolean) => void;
  onAction: (action: TrayAction) => void;
}

/** The menu bar icon: its shape shows the state, and its menu has the actions that need no panel. */
export class MenuBarIcon {
  readonly #options: TrayOptions;
  readonly #tray: Tray;
  readonly #images = new Map<TrayIcon, Electron.NativeImage>();
  #press: { wasOpen: boolean; isReleased: boolean } | undefined;
  #shown = '';

  constructor(options: TrayOptions) {
    this.#options = options;
    this.#tray = new Tray(this.#image('stopped'));
    // Otherwise a second quick click would count as a double click, which has no handler.
    this.#tray.setIgnoreDoubleClickEvents(true);
    this.#tray.on('mouse-down', () => {
      this.#press = { wasOpen: options.isPanelOpen(), isReleased: false };
    });
    this.#tray.on('mouse-up', () => {
      if (this.#press !== undefined) this.#press.isReleased = true;
    });
    this.#tray.on('click', () => this.#click());
    this.#tray.on('right-click', () => this.#tray.popUpContextMenu(this.#menu()));
    this.update();
  }

  get bounds(): Rectangle {
    return this.#tray.getBounds();
  }

  /** Shows the current state. Does nothing if it is already shown. */
  update(): void {
    const { icon, title, tooltip } = toTrayView(this.#options.snapshot());
    const shown = JSON.stringify([icon, title, tooltip]);
    if (shown === this.#shown) return;
    this.#shown = shown;
    this.#tray.setImage(this.#image(icon));
    this.#tray.setTitle(title, { fontType: 'monospacedDigit' });
    this.#tray.setToolTip(tooltip);
  }

  /** VoiceOver sends `click`, then `mouse-down` without `mouse-up`, so a press counts only if released. */
  #click(): void {
    const { isPanelOpen, onClick } = this.#options;
    onClick(this.#press?.isReleased ? this.#press.wasOpen : isPanelOpen());
    this.#press = undefined;
  }

  #image(icon: TrayIcon): Electron.NativeImage {
    const known = this.#images.get(icon);
    if (known !== undefined) return known;
    const image = nativeImage.createFromPath(join(this.#options.iconFolder, `${icon}Template.png`));
    this.#images.set(icon, image);
    return image;
  }

  #menu(): Menu {
    const toItem = ({
      label,
      action,
      enabled = true,
      checked,
      submenu,
      isSeparator,
    }: TrayMenuItem): MenuItemConstructorOptions => ({
      ...(isSeparator ? { type: 'separator' } : { label, enabled }),
      ...(checked === undefined ? {} : { type: 'checkbox', checked }),
      ...(submenu === undefined ? {} : { submenu: submenu.map(toItem) }),
      ...(action === undefined ? {} : { click: () => this.#options.onAction(action) }),
    });
    return Menu.buildFromTemplate(toTrayMenu(this.#options.snapshot()).map(toItem));
  }
}

/** Runs an action of the icon's menu. `openPanel` shows the panel, optionally at a view. */
export async function runTrayAction(
  action: TrayAction,
  sightglass: Sightglass,
  openPanel: (view?: View) => Promise<void>,
): Promise<void> {
  const { handlers } = sightglass;
  switch (action.do) {
    case 'start':
      await handlers.start();
      break;
    case 'stop':
      // With requests in flight, the panel asks whether to let them finish.
      if (sightglass.controller.activity.count > 0) await openPanel('overview');
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
      await openPanel();
      break;
    case 'openModels':
      await openPanel('models');
      break;
    case 'openSettings':
      await openPanel('settings');
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
