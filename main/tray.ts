import { join } from 'node:path';
import { Menu, type MenuItemConstructorOptions, nativeImage, Tray } from 'electron';
import type { Snapshot } from '../server/contract.ts';
import type { Rectangle } from './panel.ts';
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
  isPanelOpen: () => boolean;
  /** `wasOpen`: whether the panel was open when the mouse button went down. */
  onClick: (wasOpen: boolean) => void;
  onAction: (action: TrayAction) => void;
}

/** The icon in the menu bar: its shape is the state, its menu the few things done without a panel. */
export class MenuBarIcon {
  readonly #options: TrayOptions;
  readonly #tray: Tray;
  readonly #images = new Map<TrayIcon, Electron.NativeImage>();
  #press: { wasOpen: boolean; isReleased: boolean } | undefined;
  #shown = '';

  constructor(options: TrayOptions) {
    this.#options = options;
    this.#tray = new Tray(this.#image('stopped'));
    // Otherwise the second of two quick clicks would be a double click, which does nothing here.
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

  /** VoiceOver sends `click`, then `mouse-down`, and no `mouse-up`, so that press does not count. */
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
