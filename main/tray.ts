import { join } from 'node:path';
import { Menu, type MenuItemConstructorOptions, nativeImage, Tray } from 'electron';
import type { Snapshot } from '../server/contract.ts';
import type { Rectangle } from './panel-place.ts';
import {
  type TrayAction,
  type TrayIcon,
  type TrayMenuItem,
  toTrayMenu,
  toTrayView,
} from './tray-view.ts';

export interface TrayOptions {
  /** With `stoppedTemplate.png`, `stoppedTemplate@2x.png` and so on. */
  iconFolder: string;
  snapshot: () => Snapshot;
  onClick: () => void;
  onAction: (action: TrayAction) => void;
}

/** The icon in the menu bar: its shape is the state, its menu the few things done without a panel. */
export class MenuBarIcon {
  readonly #options: TrayOptions;
  readonly #tray: Tray;
  readonly #images = new Map<TrayIcon, Electron.NativeImage>();
  #shown = '';

  constructor(options: TrayOptions) {
    this.#options = options;
    this.#tray = new Tray(this.#image('stopped'));
    this.#tray.on('click', () => options.onClick());
    this.#tray.on('right-click', () => this.#tray.popUpContextMenu(this.#menu()));
    this.update();
  }

  get bounds(): Rectangle {
    return this.#tray.getBounds();
  }

  /** Shows the present state; does nothing if it is shown already. */
  update(): void {
    const { icon, title, tooltip } = toTrayView(this.#options.snapshot());
    const shown = JSON.stringify([icon, title, tooltip]);
    if (shown === this.#shown) return;
    this.#shown = shown;
    this.#tray.setImage(this.#image(icon));
    this.#tray.setTitle(title, { fontType: 'monospacedDigit' });
    this.#tray.setToolTip(tooltip);
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
